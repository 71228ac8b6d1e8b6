"""What every command of the workflow needs: a log, scratch space, progress, an orderly end."""

from rivulet.jobs.job import Job, Stopped, run_job
from rivulet.jobs.progress import Progress

__all__ = ["Job", "Progress", "Stopped", "run_job"]
