"""Let Snakemake take copied results for what they are, so that its plans hold.

After results/ was copied here, or a file of it was deleted by hand. Times are put in order where
results fit the configuration; those made with other settings are dated back, and records of what
is missing removed, so that Snakemake makes them again. A run does this by itself before it plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rivulet.cli.options import described
from rivulet.config.load import check_duplicate_keys
from rivulet.errors import UserError
from rivulet.workflow.locks import is_running
from rivulet.workflow.plan import Plan
from rivulet.workflow.planning import load_workflow_config, survey_results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = described("adopt", __doc__)
    parser.add_argument(
        "--configfile", type=Path, nargs="+", default=[Path("config/config.yaml")], metavar="FILE",
        help="configuration that runs have, in the order in which Snakemake gets its files "
        "(default: config/config.yaml)",
    )  # fmt: skip
    files = parser.parse_args(arguments).configfile
    if is_running():
        raise UserError("a workflow is running here; adopt results when it has ended")
    findings = survey_results(Plan(load_workflow_config(_merged(files), files)))
    findings.apply()
    for line in [*findings.lines(), *findings.notes_on_code()]:
        print(line)
    count = len(findings.unsettled)
    print(f"{count} artefact{'' if count == 1 else 's'} adopted" if count else "nothing to adopt")
    return 0


def _merged(files: Sequence[Path]) -> dict[str, Any]:
    """What Snakemake makes of several files."""
    from snakemake.common.configfile import load_configfile
    from snakemake.utils import update_config

    config: dict[str, Any] = {}
    for path in files:
        check_duplicate_keys(path)  # tells a file that is missing or no YAML, too
        update_config(config, load_configfile(path))
    return config
