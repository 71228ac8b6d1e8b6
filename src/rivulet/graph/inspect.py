"""What is left in a prepared graph that a user would not want to pay for in each inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rivulet.graph.layout.rewrite import INSIDE, TRANSPOSES, WRITTEN


@dataclass(frozen=True)
class Inspection:
    """What is there beside the model's own work.

    Attributes:
        transposes: All transposes of data, each as ``reason: shape, for operator``. The reason is
            ``input`` or ``output`` at the model's ends, ``written`` where the model's author
            wrote one that no neighbour takes up, ``inside`` for any other.
        transposes_inside: Those of the last kind.
        transposes_written: Those of the one before.
        weight_only: Names of kernels that read nothing but weights.
        calls: Kernels that one inference calls.
    """

    transposes: list[str]
    transposes_inside: list[str]
    transposes_written: list[str]
    weight_only: list[str]
    calls: int


def inspect_module(module: Any) -> Inspection:
    """Look through the inference function of a prepared model.

    Args:
        module: The module of a `rivulet.graph.prepare.PreparedModel`.
    """
    from tvm import relax

    main = module["main"]
    attributes = main.attrs
    listed = [str(one) for one in attributes[TRANSPOSES]] if TRANSPOSES in attributes else []
    weights = set(main.params[int(attributes["num_input"]) :])
    weight_only, calls = [], 0
    for block in main.body.blocks:
        for binding in block.bindings:
            call = binding.value
            if not isinstance(call, relax.Call) or getattr(call.op, "name", "") != "relax.call_tir":
                continue
            calls += 1
            if len(call.args[1].fields) and all(
                isinstance(argument, relax.Var) and argument in weights
                for argument in call.args[1].fields
            ):
                weight_only.append(call.args[0].name_hint)
    inside, written = (
        [one for one in listed if one.startswith(f"{why}:")] for why in (INSIDE, WRITTEN)
    )
    return Inspection(listed, inside, written, weight_only, calls)
