"""Transfer-tuning: reuse a source model's schedules on a target model's kernels."""

from rivulet.transfer.transfer import TransferSettings, transfer_schedules

__all__ = ["TransferSettings", "transfer_schedules"]
