"""How TVM sets apart what is computed of a model's weights, and names it."""

from __future__ import annotations

from typing import Any

# Function that ``LiftTransformParams`` makes of the part of ``main`` that reads weights alone.
TRANSFORM = "main_transform_params"
FLAT_TRANSFORM = "main_transform_params_flat"
_PREPACKED = "_prepacked"  # what TVM appends to the name of a kernel whose weights it packs


def with_flat_transform(module: Any) -> Any:
    """Add what packs the weights and takes them one by one: RPC passes tensors, and no tuples."""
    from tvm import relax

    packing = module[TRANSFORM]
    (given,) = packing.params
    each = [relax.Var(f"p{i}", info) for i, info in enumerate(given.ty.fields)]
    builder = relax.BlockBuilder(module)
    with builder.function(FLAT_TRANSFORM, each):
        packed = builder.emit(
            relax.Call(module.get_global_var(TRANSFORM), [relax.Tuple(each)]), "packed"
        )
        builder.emit_func_output(packed)
    return builder.get()


def kernel_name(function: str) -> str:
    """Name of the kernel behind a function of a compiled model, its weights packed or not."""
    return function.removesuffix(_PREPACKED)


def with_packed_weights(module: Any) -> Any:
    """A scheduled kernel that takes its weights as its schedule packs them."""
    from tvm.s_tir.transform import RemoveWeightLayoutRewriteBlock

    return RemoveWeightLayoutRewriteBlock(skip_tensor_rewrite=True)(module)
