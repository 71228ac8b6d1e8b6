"""What people ask for by name, checked against the config before Snakemake looks for a rule."""

from __future__ import annotations

from collections.abc import Iterable

from rivulet.config.model import Config
from rivulet.config.problems import did_you_mean, shown
from rivulet.errors import UserError
from rivulet.paths import POOL, RESULTS, parse

_MOST_LISTED = 12


def check_targets(config: Config, targets: Iterable[str]) -> None:
    """See that the names in the paths of what is asked for are in the config.

    Snakemake says of a name that is not there that no rule makes the file, and nothing else.

    Args:
        config: The configuration.
        targets: Files and rules that are asked for.

    Raises:
        UserError: A path has the form of a result, and a name in it is unknown; a line for each.
    """
    ours = [target for target in targets if target.startswith(f"{RESULTS}/")]
    problems = [line for target in sorted(ours) for line in _problems(config, target)]
    if problems:
        raise UserError("\n".join(problems))


def _problems(config: Config, target: str) -> list[str]:
    found = parse(target)
    if found is None:
        return []
    models = list(config.models)
    known = {
        "hardware": (found.hardware, list(config.hardware)),
        "source": (found.source, [*models, *config.donors, POOL]),
        "model": (found.model, models),
    }
    return [
        f"{target}: the config has no {what} {shown(name)}{_listed(names)}"
        f"{did_you_mean(name, names)}"
        for what, (name, names) in known.items()
        if name and name not in names
    ]


def _listed(names: list[str]) -> str:
    """What there is, where that is little enough to read."""
    return f"; it has {', '.join(names)}" if len(names) <= _MOST_LISTED else ""
