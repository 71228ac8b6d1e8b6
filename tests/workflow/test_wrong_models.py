"""A model that does not come through: the others are made, and the end says why it was not."""

from conftest import write_onnx
from workflow.conftest import small_models


def test_each_failed_model_is_named_at_the_end(checkout):
    models = {"wide": small_models(checkout.folder)["wide"]}
    # TVM has no converter for it.
    write_onnx(checkout.folder / "mine/random.onnx", between="RandomNormalLike")
    (checkout.folder / "mine/broken.onnx").write_bytes(b"not a model")
    models |= {name: {"onnx": f"mine/{name}.onnx"} for name in ("random", "broken")}
    checkout.configure(models)
    tables = [f"results/local/kernels/{name}.csv" for name in models]
    run = checkout.snakemake("--keep-going", *tables)
    assert run.code != 0
    assert [(checkout.folder / table).exists() for table in tables] == [True, False, False]
    *_, heading, first, second = run.text.strip().splitlines()
    assert heading == "2 jobs failed; what needs their results was not made:"
    lines = sorted([first, second])
    assert lines[0].startswith("export broken: mine/broken.onnx: not a valid ONNX model")
    assert lines[1].startswith("kernels random: mine/random.onnx: ")
    assert "RandomNormalLike" in lines[1]
    assert lines[1].endswith("(log: logs/local/kernels/random.log)")
    assert "Traceback" in (checkout.folder / "logs/local/kernels/random.log").read_text()
