"""Models that do not come through: told before anything is searched, and at the end."""

from conftest import write_onnx
from workflow.conftest import small_models


def with_sequence(path):
    """A model with an operator that TVM has no converter for."""
    return write_onnx(path, last="Det") if False else path


def test_each_failed_model_is_named_at_the_end(checkout):
    models = {"wide": small_models(checkout.folder)["wide"]}
    write_onnx(checkout.folder / "mine/odd.onnx", between="Mish")
    (checkout.folder / "mine/broken.onnx").write_bytes(b"not a model")
    models |= {name: {"onnx": f"mine/{name}.onnx"} for name in ("odd", "broken")}
    checkout.configure(models)
    tables = [f"results/local/kernels/{name}.csv" for name in models]
    run = checkout.snakemake("--keep-going", *tables)
    print(run.text)
    assert 0
