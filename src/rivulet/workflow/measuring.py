"""Which rules measure, as their files say it; a cluster's profile gives these a node each."""

from __future__ import annotations

import re
from pathlib import Path

RULES = Path(__file__).resolve().parents[3] / "rules"
_RULE = re.compile(r"(?m)^(?:use )?rule (\w+)(?: as (\w+) with)?:\n((?:[ \t].*\n|\n)*)")
_STAGE = re.compile(r'settings\("([\w-]+)"')


def measuring_rules(folder: Path = RULES) -> dict[str, str]:
    """The rules that take the device, each with the stage of the workflow that it is.

    Args:
        folder: Folder of the rules' files.
    """
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.smk")))
    found: dict[str, str] = {}
    for name, copy, body in sorted(_RULE.findall(text), key=lambda one: bool(one[1])):
        measures = re.search(r"(?m)^ +device=1,", body) or (copy and name in found)
        stage = _STAGE.search(body)
        if measures:
            found[copy or name] = stage[1] if stage else found.get(name, "")
    return found
