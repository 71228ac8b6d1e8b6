"""Process: export a model, prepare it for search, and extract its kernels, for both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comparison.child import Child, serve
from rivulet.errors import UserError
from rivulet.graph.prepare import PreparedModel
from rivulet.tvm_compat import load_tvm

ONNX = "model.onnx"
KERNELS = "kernels.json.gz"
_MODULE = "prepared.json"


def load_module(folder: Path) -> Any:
    """The prepared Relax module that `prepare` wrote into its folder."""
    tvm = load_tvm()
    return tvm.ir.load_json((folder / _MODULE).read_text())


def load_for_extraction(folder: Path) -> PreparedModel:
    """The same as kernels are extracted from; without weights, which extraction does not need."""
    return PreparedModel(load_module(folder), [])


def prepare(child: Child) -> dict[str, Any]:
    """Write the ONNX file, the prepared module and the kernels; return what they are."""
    from rivulet.graph.prepare import prepare_model
    from rivulet.hardware.target import resolve_target
    from rivulet.kernels import save_kernels
    from rivulet.kernels.extract import extract_kernels
    from rivulet.models.export import export_torchvision

    spec, folder = child.spec, child.folder
    shape = [1, 3, spec["size"], spec["size"]]
    facts = export_torchvision(
        spec["model"],
        shape,
        "random",
        spec["weights_seed"],
        path=folder / ONNX,
        say=child.logger.info,
    )
    tvm = load_tvm()
    target = resolve_target(child.device)
    module = prepare_model(folder / ONNX, target).module
    (folder / _MODULE).write_text(tvm.ir.save_json(module))
    kernels = extract_kernels(load_for_extraction(folder), target)
    if not kernels:
        raise UserError(f"{spec['model']} has no kernel that can be tuned; choose another model")
    save_kernels(kernels, folder / "kernels.csv", folder / KERNELS)
    return {
        "inputs": facts["inputs"],
        "target": str(target),
        "kernels": {kernel.task: kernel.weight for kernel in kernels},
    }


if __name__ == "__main__":
    raise SystemExit(serve(prepare))
