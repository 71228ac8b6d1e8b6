"""Names of scheduled kernels, which tell candidates apart."""

from __future__ import annotations

from typing import Any

_PACKED = "meta_schedule.layout_rewrite_preproc"


def candidate_name(module: Any) -> str:
    """Structural hash of a scheduled module, hexadecimal: equal code, equal name."""
    return structural_name(module)


def structural_name(part: Any) -> str:
    """Structural hash of a part of TVM's intermediate representation, in 16 hexadecimal digits."""
    import tvm_ffi

    return f"{tvm_ffi.structural_hash(part) & (2**64 - 1):016x}"


def measured_schedule(record: Any) -> Any:
    """The schedule of a tuning record, as it was when it was measured.

    On its way through a database's JSON the flag that marks packed weights becomes a number. The
    code is the same, but not its structural hash, so that it would go by another name than its
    trial.

    Args:
        record: MetaSchedule's ``TuningRecord``.

    Returns:
        A schedule of the record's workload; its module has the name that its trial bears.
    """
    from tvm.s_tir import Schedule
    from tvm.s_tir.schedule import Instruction, Trace

    instructions, decisions = [], {}
    for inst in record.trace.insts:
        new = inst
        if str(inst.kind.name) == "Annotate" and str(inst.attrs[0]) == _PACKED:
            inputs = [inst.inputs[0], bool(inst.inputs[1])]
            new = Instruction(inst.kind, inputs, list(inst.attrs), list(inst.outputs))
        instructions.append(new)
        decision = record.trace.decisions.get(inst)
        if decision is not None:
            decisions[new] = decision
    schedule = Schedule(record.workload.mod, debug_mask=0, error_render_level="fast")
    Trace(instructions, decisions).apply_to_schedule(schedule, remove_postproc=False)
    return schedule
