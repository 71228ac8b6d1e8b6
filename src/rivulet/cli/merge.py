"""Bring results of other machines into this checkout, so that one report shows them side by side.

Each folder is the results/ of another machine, or a copy of it: results/{hardware} for each of
its hardware, and results/models. Nothing is ever overwritten: the same file with other content,
one name of hardware for two machines and one name of a model for two models are errors that name
both. After an interruption, the same command goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rivulet.cli.options import described
from rivulet.errors import UserError
from rivulet.workflow.locks import is_running
from rivulet.workflow.merging import Merge, copy_files, plan_merge


def told(merge: Merge, dry: bool) -> list[str]:
    """Lines that say what the merge does."""
    verb = "would copy" if dry else "copied"
    lines = []
    for tree in merge.trees:
        size = sum(path.stat().st_size for path in tree.copied) / 2**20
        lines.append(
            f"{tree.name}: {verb} {len(tree.copied)} files ({size:.1f} MiB) from {tree.place}, "
            f"{tree.same} were there; {tree.machine.described}, fingerprint "
            f"{tree.machine.fingerprint}"
        )
    if merge.models:
        lines.append(f"models: {verb} {', '.join(merge.models)}")
    return [*lines, *(f"note: {note}" for note in merge.notes)]


def snippet(merge: Merge) -> list[str]:
    """What to add to the config, for hardware that was not here."""
    new = {tree.name: tree.machine for tree in merge.trees if not tree.known}
    if not new:
        return []
    return [
        "",
        "add to your config, unless it is there, and leave the results to be shown as they are:",
        "",
        "hardware:",
        *(f"  {name}: {{at: elsewhere}}  # {machine.described}" for name, machine in new.items()),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = described("merge", __doc__)
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="FROM", help="results of another machine"
    )
    parser.add_argument(
        "--into", type=Path, default=Path("results"),
        help="folder of results to merge into (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--dry-run", "-n", action="store_true", help="check and tell, copy nothing")
    options = parser.parse_args(arguments)
    if not options.dry_run and is_running(options.into.resolve().parent / ".snakemake"):
        raise UserError(
            f"{options.into}: a workflow is running there; merge when it has ended, or with "
            "--dry-run to see what would be done"
        )
    merge = plan_merge(options.folders, options.into)
    try:
        if not options.dry_run:
            copy_files(merge)
    except (UserError, OSError) as error:
        raise UserError(
            f"{error}; what was copied is whole, and the same command goes on"
        ) from error
    print("\n".join([*told(merge, options.dry_run), *snippet(merge)]))
    return 0
