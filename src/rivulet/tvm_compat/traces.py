"""Read, change and replay the decisions of a schedule's trace."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rivulet.errors import last_line
from rivulet.tvm_compat.spaces import tune_context

TILE = "SamplePerfectTile"
CATEGORICAL = "SampleCategorical"
LOCATION = "SampleComputeLocation"
_TILING = "meta_schedule.tiling_structure"
# Limits that the space generator fixes and does not sample, but that a kernel's speed depends on.
LIMITS = ("meta_schedule.parallel", "meta_schedule.vectorize")

_FEWEST_THREADS = "meta_schedule.thread_extent_low_inclusive"
_MOST_THREADS = "meta_schedule.thread_extent_high_inclusive"
# Level of a spatial axis' tile that is bound to threads; the first two are bound to thread blocks
# and to virtual threads.
THREAD_LEVEL = 2

# Compute locations that are no loops.
INLINE = -1
ROOT = -2


class ReplayFailure(Exception):
    """A trace does not fit the kernel it was replayed on; the text says where."""


@dataclass(frozen=True)
class Decision:
    """One adjustable decision of a trace.

    Attributes:
        index: Position of its instruction in the trace.
        kind: `TILE`, `CATEGORICAL`, `LOCATION`, or one of `LIMITS`.
        value: Tile factors (outermost first), index of the category, compute location (-1 is
            inline, -2 root), or the limit.
        innermost_limit: Largest innermost tile factor; 0 where none applies.
        categories: Number of categories; 0 where none applies.
    """

    index: int
    kind: str
    value: tuple[int, ...]
    innermost_limit: int = 0
    categories: int = 0


def decisions(trace: Any) -> list[Decision]:
    """Adjustable decisions of a trace, up to where its postprocessing begins."""
    found = []
    for index, inst in enumerate(_schedule_part(trace)):
        name = str(inst.kind.name)
        if name == TILE:
            factors = tuple(int(f) for f in trace.decisions[inst])
            found.append(Decision(index, TILE, factors, innermost_limit=int(inst.attrs[1])))
        elif name == CATEGORICAL:
            value = (int(trace.decisions[inst]),)
            found.append(Decision(index, CATEGORICAL, value, categories=len(inst.attrs[0])))
        elif name == LOCATION:
            found.append(Decision(index, LOCATION, (int(trace.decisions[inst]),)))
        elif name == "Annotate" and str(inst.attrs[0]) in LIMITS:
            found.append(Decision(index, str(inst.attrs[0]), (int(inst.inputs[1]),)))
    return found


def with_values(trace: Any, values: Mapping[int, Sequence[int]], free: Collection[int] = ()) -> Any:
    """A copy of the trace, without its postprocessing, with other decisions.

    Args:
        trace: The trace.
        values: Instruction position to the new value, as in `Decision.value`.
        free: Positions whose decision is dropped: applying the trace samples it anew.
    """
    from tvm.s_tir.schedule import Instruction, Trace

    instructions, chosen = [], {}
    for index, inst in enumerate(_schedule_part(trace)):
        new, decision = inst, trace.decisions.get(inst)
        if index in values:
            value = values[index]
            name = str(inst.kind.name)
            if name == TILE:
                decision = [int(v) for v in value]
            elif name in (CATEGORICAL, LOCATION):
                decision = int(value[0])
            else:
                inputs = [inst.inputs[0], int(value[0])]
                new = Instruction(inst.kind, inputs, list(inst.attrs), list(inst.outputs))
        instructions.append(new)
        if decision is not None and index not in free:
            chosen[new] = decision
    return Trace(instructions, chosen)


def categories(trace: Any, index: int) -> list[int]:
    """The categories that the decision at an instruction position chooses from."""
    return [int(value) for value in trace.insts[index].attrs[0]]


@dataclass(frozen=True)
class TiledBlock:
    """A block that multi-level tiling took on.

    Attributes:
        spatial: Instruction positions of the tiles of its spatial axes, in their order.
        reduction: The same of its reduction axes.
        spatial_levels: Factors of a spatial axis' tile.
        reduction_levels: Factors of a reduction axis' tile.
        threads: Fewest and most threads of a thread block; None where no loop is bound to threads.
    """

    spatial: tuple[int, ...]
    reduction: tuple[int, ...]
    spatial_levels: int
    reduction_levels: int
    threads: tuple[int, int] | None = None


def tiled_blocks(trace: Any) -> list[TiledBlock]:
    """The blocks that multi-level tiling took on, in the order of the trace.

    The tiling structure that MetaSchedule writes beside a block, such as ``SSRSRS`` on CPUs and
    ``SSSRRSRS`` on GPUs, tells how many levels its tiles have.
    """
    blocks: list[TiledBlock] = []
    levels: tuple[int, int] | None = None
    found: dict[str, Any] = {}

    def close() -> None:
        if levels and found.get("spatial"):
            spatial, reduction = tuple(found["spatial"]), tuple(found["reduction"])
            bound = _FEWEST_THREADS in found and _MOST_THREADS in found
            threads = (found[_FEWEST_THREADS], found[_MOST_THREADS]) if bound else None
            blocks.append(TiledBlock(spatial, reduction, *levels, threads))

    for index, inst in enumerate(_schedule_part(trace)):
        name = str(inst.kind.name)
        key = str(inst.attrs[0]) if name == "Annotate" else ""
        if key == _TILING:
            close()
            structure = str(inst.inputs[1])
            levels = structure.count("S"), structure.count("R")
            found = {"spatial": [], "reduction": [], "tiling": True}
        elif key in (_FEWEST_THREADS, _MOST_THREADS):
            found[key] = int(inst.inputs[1])
        elif name == TILE and levels and found["tiling"]:
            factors = int(inst.attrs[0])
            # Tiles of another depth belong to a block that is fetched, not to this one.
            found["tiling"] = factors in levels
            if factors in levels:
                found["spatial" if factors == levels[0] else "reduction"].append(index)
    close()
    return blocks


def thread_refusal(trace: Any) -> str:
    """Why the thread blocks that a trace's tiles make cannot be launched; empty where they can.

    The target's own check refuses such a schedule as well, but only after it was applied, and
    without a word on why.
    """
    values = trace.decisions
    for block in tiled_blocks(trace):
        if block.threads is None:
            continue
        splits = [values.get(trace.insts[index]) for index in block.spatial]
        if any(split is None for split in splits):
            continue  # sampled when the trace is applied
        threads = math.prod(int(split[THREAD_LEVEL]) for split in splits)
        fewest, most = block.threads
        if not fewest <= threads <= most:
            return f"{threads} threads per block, allowed {fewest} to {most}"
    return ""


def skeleton(trace: Any) -> list[str]:
    """What the instructions of a trace do, without names and values.

    A block that is moved into a loop has the level of that loop within its tile beside it.
    """
    level: dict[int, int] = {}
    found = []
    for inst in _schedule_part(trace):
        kind = str(inst.kind.name)
        if kind == "Split":
            for place, loop in enumerate(inst.outputs):
                level[loop.__hash__()] = place
        if kind == "Annotate":
            kind += f" {inst.attrs[0]}"
        elif kind in ("ComputeAt", "ReverseComputeAt"):
            kind += f" {level.get(inst.inputs[1].__hash__(), '')}"
        found.append(kind)
    return found


class Postprocessing:
    """The postprocessors of the target's own search space, for one kernel.

    Args:
        module: The kernel's unscheduled module.
        target: TVM target.
    """

    def __init__(self, module: Any, target: Any) -> None:
        self.target = target
        # The postprocessors refer to the context, which therefore lives as long as they do.
        self._context = tune_context(module, target, threads=1)

    def apply(self, schedule: Any) -> None:
        """Postprocess a schedule in place.

        Raises:
            ReplayFailure: A postprocessor refuses it.
        """
        schedule.enter_postproc()
        for processor in self._context.space_generator.postprocs:
            try:
                accepted = processor.apply(schedule)
            except Exception as error:
                raise ReplayFailure(f"postprocessing failed: {last_line(error)}") from error
            if not accepted:
                reason = thread_refusal(schedule.trace)
                raise ReplayFailure(
                    f"refused by {type(processor).__name__}" + (f": {reason}" if reason else "")
                )


def replay(module: Any, trace: Any, postprocessing: Postprocessing, seed: int | None = None) -> Any:
    """Apply a trace, postprocessing left out, to a kernel and postprocess it for the target.

    Keeping the recorded postprocessing would bring along the parallel, vectorise, unroll and
    layout decisions that were derived for another kernel or other limits.

    Args:
        module: The kernel's unscheduled module.
        trace: The trace.
        postprocessing: Of the kernel and the target.
        seed: Seed, from 1, for decisions that the trace leaves open.

    Returns:
        The schedule.

    Raises:
        ReplayFailure: An instruction does not apply, or a postprocessor refuses the result.
    """
    from tvm.s_tir import Schedule

    if refusal := thread_refusal(trace):
        raise ReplayFailure(refusal)
    schedule = Schedule(module, seed=seed, debug_mask=0, error_render_level="fast")
    try:
        trace.apply_to_schedule(schedule, remove_postproc=True)
    except Exception as error:
        raise ReplayFailure(f"the trace does not apply: {last_line(error)}") from error
    postprocessing.apply(schedule)
    return schedule


def trace_text(trace: Any) -> str:
    """A trace, its postprocessing included, as JSON text."""
    return json.dumps(_plain(trace.as_json()), separators=(",", ":"))


def traced_module(module: Any, text: str) -> Any:
    """The scheduled module that `trace_text` tells of.

    Args:
        module: The kernel's unscheduled module.
        text: The text.
    """
    from tvm.s_tir import Schedule
    from tvm.s_tir.schedule import Trace

    schedule = Schedule(module, debug_mask=0, error_render_level="fast")
    Trace.apply_json_to_schedule(json.loads(text), schedule)
    return schedule.mod


def _plain(value: Any) -> Any:
    """TVM's containers as Python's."""
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "items"):
        return {str(key): _plain(one) for key, one in value.items()}
    if hasattr(value, "__iter__"):
        return [_plain(one) for one in value]
    return getattr(value, "value", value)  # a constant of TVM's


def _schedule_part(trace: Any) -> list[Any]:
    part = []
    for inst in trace.insts:
        if str(inst.kind.name) == "EnterPostproc":
            break
        part.append(inst)
    return part
