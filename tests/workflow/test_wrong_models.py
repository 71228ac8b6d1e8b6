"""A model that does not come through: the others are made, and the end says why it was not."""

from conftest import write_onnx
from workflow.conftest import small_models


def test_who_did_not_ask_to_keep_going_is_told_how(checkout):
    models = small_models(checkout.folder)
    (checkout.folder / "mine/broken.onnx").write_bytes(b"not a model")
    broken = {"broken": {"onnx": "mine/broken.onnx"}}
    checkout.configure({**models, **broken})
    run = checkout.snakemake("results/models/broken.json")
    assert run.code != 0
    *_, reason, advice = run.text.strip().splitlines()
    assert reason.startswith("export broken: mine/broken.onnx: not a valid ONNX model")
    assert "the same command with --keep-going makes all that does not need" in advice
    # There is nothing to go on with where there is no other model.
    checkout.configure(broken)
    assert "--keep-going" not in checkout.snakemake("results/models/broken.json").text


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
