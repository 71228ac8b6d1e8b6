"""Names of torchvision's classification models, without importing torchvision."""

import functools
import importlib.util
import re
from pathlib import Path

# Only the top-level files of torchvision/models hold classification models; they register
# with no explicit name, so the builder function's name is the model's name.
_REGISTERED = re.compile(r"^@register_model\(\)$.*?^def (\w+)\(", re.MULTILINE | re.DOTALL)


@functools.cache
def classification_models() -> tuple[str, ...]:
    """Return the sorted model names; empty where torchvision is not installed.

    The source text is searched because importing torchvision takes seconds, and a mistyped
    name should be reported at once.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return ()
    names: set[str] = set()
    for root in spec.submodule_search_locations:
        for file in (Path(root) / "models").glob("*.py"):
            names.update(_REGISTERED.findall(file.read_text(encoding="utf-8")))
    return tuple(sorted(names))
