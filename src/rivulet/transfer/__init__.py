"""Transfer-tuning: reuse a source model's schedules on a target model's kernels."""

from rivulet.transfer.transfer import transfer_schedules

__all__ = ["transfer_schedules"]
