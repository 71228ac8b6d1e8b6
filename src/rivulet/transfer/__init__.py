"""Transfer-tuning: reuse schedules of other models' logs on a target model."""

from rivulet.transfer.result import TransferResult, TransferSettings
from rivulet.transfer.sources import Source, load_source
from rivulet.transfer.strategy import TransferTuning

__all__ = ["Source", "TransferResult", "TransferSettings", "TransferTuning", "load_source"]
