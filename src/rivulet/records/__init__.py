"""Logs on disk: one that grows is a SQLite file, a published one is files that stock TVM opens."""

from rivulet.records.log import Trial, TuningLog

__all__ = ["Trial", "TuningLog"]
