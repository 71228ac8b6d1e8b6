"""How many of torchvision's classification models give kernels, and what each of them takes."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

from comparison.launch import BENCHMARKS

# One of each family whose graph has something of its own, and none that takes minutes.
SAMPLE = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "inception_v3",
    "maxvit_t", "mnasnet0_5", "mobilenet_v3_small", "regnet_y_400mf", "resnet18",
    "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "swin_v2_t", "vit_b_32",
)  # fmt: skip


def model_coverage(
    quick: bool, table: Path = BENCHMARKS / "work/models.csv"
) -> list[dict[str, str]]:
    """Export models and extract their kernels, by ``rivulet model-table``.

    Args:
        quick: `SAMPLE` only.
        table: Where the rows are kept; those that are there are not made again.

    Returns:
        One row per model, with the columns of ``rivulet model-table``; the column ``error`` is
        empty where the model gives kernels.

    Raises:
        SystemExit: The script did not finish.
    """
    table.parent.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "rivulet", "model-table", "--out", str(table.resolve()),
        "--models", *(SAMPLE if quick else ("all",)),
    ]  # fmt: skip
    if subprocess.run(command, cwd=BENCHMARKS.parent).returncode:
        raise SystemExit(
            "rivulet model-table did not finish; the lines above say why. Rows that were made "
            "are kept: the same command goes on from there."
        )
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [row for row in rows if not quick or row["model"] in SAMPLE]
