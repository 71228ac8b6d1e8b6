"""Process: run a script that ends its standard output with one JSON object, and keep that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from comparison.child import Child, serve
from rivulet.errors import UserError


def last_json_object(text: str, script: str, keys: list[str]) -> dict[str, Any]:
    """The JSON object in the last line of a script's output.

    Raises:
        UserError: The last line is no such object, or lacks one of the keys.
    """
    line = (text.strip().splitlines() or [""])[-1]
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(key in found for key in keys):
        raise UserError(
            f"{script}: the last line of its output should be a JSON object with "
            f"{' and '.join(keys)}, but is: {line[:200] or '(nothing)'}"
        )
    return found


def run_script(child: Child) -> dict[str, Any]:
    """Run the script that the command line names."""
    script = Path(sys.argv[2])
    ran = subprocess.run(
        [sys.executable, str(script), *child.spec["arguments"]],
        stdout=subprocess.PIPE, text=True, cwd=child.folder,
    )  # fmt: skip
    print(ran.stdout)
    if ran.returncode:
        raise UserError(f"{script} ended with status {ran.returncode}")
    return last_json_object(ran.stdout, str(script), child.spec["keys"])


if __name__ == "__main__":
    raise SystemExit(serve(run_script))
