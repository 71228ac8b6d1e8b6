"""Show what preparation does to a model's graph, and the kernels that are left."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rivulet.cli.options import described
from rivulet.config.torchvision_names import classification_models
from rivulet.errors import UserError
from rivulet.graph.inspect import Inspection, inspect_module
from rivulet.graph.prepare import prepare_model
from rivulet.kernels.extract import extract_kernels
from rivulet.kernels.kernel import Kernel
from rivulet.models.description import check_onnx
from rivulet.models.export import export_torchvision
from rivulet.tvm_compat import load_tvm


def exported(name: str, shape: list[int], folder: str) -> Path:
    """The ONNX file of a torchvision model, with random weights."""
    path = Path(folder) / f"{name}.onnx"
    export_torchvision(name, shape, "random", 0, path=path, say=lambda line: None)
    return path


def show_steps(steps: Mapping[str, int]) -> None:
    """What each step of the clean-up changed."""
    print("ONNX to ONNX, nodes changed:")
    for name, count in steps.items():
        if count:
            print(f"  {count:6}  {name}")


def show_inspection(left: Inspection) -> None:
    """What one would not want to pay for in each inference."""
    print(f"\n{left.calls} calls of kernels in one inference")
    print(f"{len(left.transposes_inside)} transposes that nobody wrote between kernels")
    for line in left.transposes:
        print(f"  {line}")
    print(f"{len(left.weight_only)} kernels that read nothing but weights")
    for name in left.weight_only:
        print(f"  {name}")


def show_kernels(kernels: Sequence[Kernel]) -> None:
    """All of them, in the order in which the model runs them."""
    print("\nkernels:\n  runs     MFLOP  kernel, shapes of its arguments")
    for kernel in kernels:
        shapes = " ".join("x".join(map(str, shape)) or "scalar" for shape in kernel.shapes)
        print(f"  {kernel.weight:4} {kernel.flops / 1e6:9.2f}  {kernel.task}  {shapes}")


def inspect(name: str, shape: list[int]) -> None:
    """Prepare the model and tell what came of it."""
    tvm = load_tvm()
    target = tvm.target.Target({"kind": "llvm", "num-cores": 1})
    with tempfile.TemporaryDirectory(prefix="rivulet-") as folder:
        path = Path(name)
        if path.suffix == ".onnx":
            check_onnx(path)  # says what keeps it from being prepared
        elif name in classification_models():
            path = exported(name, shape, folder)
        else:
            raise UserError(
                f"{path}: neither an .onnx file nor a classification model of torchvision"
            )
        model = prepare_model(path, target)
    show_steps(model.steps)
    show_inspection(inspect_module(model.module))
    show_kernels(extract_kernels(model, target))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = described("inspect", __doc__)
    parser.add_argument("model", help="an .onnx file, or the name of a torchvision model")
    parser.add_argument(
        "--shape",
        type=int,
        nargs="+",
        default=[1, 3, 224, 224],
        help="input shape of a torchvision model (default: 1 3 224 224)",
    )
    options = parser.parse_args(arguments)
    inspect(options.model, options.shape)
    return 0
