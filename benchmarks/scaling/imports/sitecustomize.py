"""Let Python time the imports of a workflow's job: run by each Python with this folder on its path.

A job's Python is started once more with `-X importtime` and its errors in a file of the folder that
`JOB_IMPORTS` names, the command first; processes that the job starts are left alone.
"""

import importlib.util
import json
import os
import sys
from types import ModuleType

_COMMAND = sys.orig_argv[1:]


def _import_module(name: str, package: str | None = None) -> ModuleType:
    """Import as the statement does, which is timed; the function of this name is not."""
    name = importlib.util.resolve_name(name, package)
    __import__(name)
    return sys.modules[name]


if "importtime" in sys._xoptions:
    sys._xoptions.pop("importtime")  # multiprocessing would hand it on
    print(json.dumps(_COMMAND[2:]), file=sys.stderr, flush=True)
    importlib.import_module = _import_module
elif _COMMAND and _COMMAND[0].startswith("scripts/"):
    path = os.path.join(os.environ["JOB_IMPORTS"], f"{os.getpid()}.txt")  # noqa: PTH118
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.execv(sys.executable, [sys.executable, "-X", "importtime", *_COMMAND])
