"""What every command of the workflow needs: a log, scratch space, progress, an orderly end."""

from rivulet.jobs.job import Job, run_job
from rivulet.jobs.progress import Progress

__all__ = ["Job", "Progress", "run_job"]
