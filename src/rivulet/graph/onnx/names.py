"""Weights get names that stay apart however an importer shortens them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rivulet.graph.onnx.editing import all_nodes, rename_reads, replace_nodes


def rename_weights(model: Any) -> int:
    """Name the weights w0, w1, ... in their order; inputs and outputs keep their names.

    An importer strips ``onnx::`` and replaces dots and colons, so that two names can become one,
    and one weight then stands for both.

    Args:
        model: ``onnx.ModelProto``, changed in place.

    Returns:
        Number of weights that have another name.
    """
    import onnx

    graph = model.graph
    outputs = {value.name for value in graph.output}
    inputs = {value.name for value in graph.input}
    taken = {_plain(name) for name in inputs | outputs}
    taken.update(name for node in all_nodes(graph) for name in node.output)
    prefix = next(p for p in _prefixes() if not any(re.fullmatch(p + r"\d+", t) for t in taken))
    names: dict[str, str] = {}
    handed_out = []
    for place, weight in enumerate(w for w in graph.initializer if w.name not in inputs):
        name = f"{prefix}{place}"
        names[weight.name] = name
        if weight.name in outputs:
            handed_out.append(onnx.helper.make_node("Identity", [name], [weight.name]))
        weight.name = name
    rename_reads(graph, names)
    if handed_out:
        replace_nodes(graph, [*graph.node, *handed_out])
    del graph.value_info[:]  # names in it are the old ones
    return sum(old != new for old, new in names.items())


def _plain(name: str) -> str:
    """A name as an importer may shorten it."""
    return re.sub(r"\W", "_", name.removeprefix("onnx::"))


def _prefixes() -> Iterator[str]:
    prefix = "w"
    while True:
        yield prefix
        prefix += "_"
