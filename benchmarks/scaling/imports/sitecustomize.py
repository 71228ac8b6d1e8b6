"""Let Python time the imports of a workflow's job: run by each Python with this folder on its path.

A job's Python is started once more with `-X importtime` and its errors in a file of the folder that
`JOB_IMPORTS` names, the command first; processes that the job starts are left alone.
"""

import json
import os
import sys

_COMMAND = sys.orig_argv[1:]
if "importtime" in sys._xoptions:
    sys._xoptions.pop("importtime")  # multiprocessing would hand it on
    print(json.dumps(_COMMAND[2:]), file=sys.stderr, flush=True)
elif _COMMAND and _COMMAND[0].startswith("scripts/"):
    path = os.path.join(os.environ["JOB_IMPORTS"], f"{os.getpid()}.txt")  # noqa: PTH118
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.execv(sys.executable, [sys.executable, "-X", "importtime", *_COMMAND])
