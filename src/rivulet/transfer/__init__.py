"""Transfer-tuning: reuse schedules of other models' logs on a target model."""

from rivulet.transfer.sources import Source, load_source
from rivulet.transfer.transfer import TransferResult, TransferSettings, transfer_schedules

__all__ = ["Source", "TransferResult", "TransferSettings", "load_source", "transfer_schedules"]
