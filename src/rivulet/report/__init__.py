"""The HTML report: what was measured, what may be claimed from it, and where it stands."""

from rivulet.report.inputs import ReportInputs
from rivulet.report.page import build_report

__all__ = ["ReportInputs", "build_report"]
