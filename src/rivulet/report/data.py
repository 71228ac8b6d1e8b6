"""What several sections of the report show, read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rivulet.benchmark.table import MethodRow
from rivulet.provenance import Record
from rivulet.report.blocks import Block, blocks_of
from rivulet.report.inputs import ReportInputs, confidence_of, read_pair_records
from rivulet.tables import read_table


@dataclass(frozen=True)
class ReportData:
    """The inputs, and what is made of them at once.

    Attributes:
        inputs: Where everything else is.
        rows: Of the benchmark table.
        blocks: The same by target and setting.
        records: Those of the pairs.
        confidence: Of the intervals, in words.
    """

    inputs: ReportInputs
    rows: list[MethodRow]
    blocks: list[Block]
    records: dict[Path, Record]
    confidence: str


def read_data(inputs: ReportInputs) -> ReportData:
    """Read it.

    Raises:
        UserError: An input is not readable.
    """
    rows = read_table(MethodRow, inputs.benchmarks)
    return ReportData(
        inputs=inputs,
        rows=rows,
        blocks=blocks_of(rows),
        records=read_pair_records(inputs.pair_records),
        confidence=f"{confidence_of(inputs.config_json) * 100:g} %",
    )
