"""Logs on disk: a database of schedules that stock TVM opens, and every trial beside it."""

from rivulet.records.log import Trial, TuningLog

__all__ = ["Trial", "TuningLog"]
