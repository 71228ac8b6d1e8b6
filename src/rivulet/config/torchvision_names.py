"""Names of torchvision's classification models, without importing torchvision."""

import functools
import importlib.util
import re
from pathlib import Path

# Only the top-level files of torchvision/models hold classification models; they register
# with no explicit name, so the builder function's name is the model's name.
_REGISTERED = re.compile(r"^@register_model\(\)$.*?^def (\w+)\(", re.MULTILINE | re.DOTALL)


def classification_models() -> tuple[str, ...]:
    """Return the sorted model names; empty where torchvision is not installed.

    The source text is searched because importing torchvision takes seconds, and a mistyped
    name should be reported at once.
    """
    return tuple(sorted(modules()))


def family_of(name: str) -> str:
    """Return the family of a model, such as ``mobilenet``; empty for a name it does not have.

    It is torchvision's module, without its version: mobilenetv2 and mobilenetv3 are one family.
    """
    return re.sub(r"v\d+$", "", modules().get(name, ""))


@functools.cache
def modules() -> dict[str, str]:
    """Return the name of each model to the name of the module that registers it."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return {}
    return {
        name: file.stem
        for root in spec.submodule_search_locations
        for file in (Path(root) / "models").glob("*.py")
        for name in _REGISTERED.findall(file.read_text(encoding="utf-8"))
    }
