"""Names in what is asked for are looked up before Snakemake looks for a rule."""

import pytest

from rivulet.config.load import validate_config
from rivulet.errors import UserError
from rivulet.workflow.targets import check_targets

CONFIG = validate_config(
    {"models": {name: {"torchvision": name} for name in ("resnet18", "alexnet")}, "trials": [80]}
)


@pytest.mark.parametrize(
    "target",
    [
        "all", "packages", "results/benchmarks.csv", "results/models/alexnet.onnx",
        "results/local/benchmarks/ansor-80/pool-to-alexnet.csv",
        "results/local/logs/droplet-5000/alexnet/log.json",
        "results/local/library/alexnet-transfer-from-resnet18-80/manifest.json",
        "results/local/transfer/ranking.csv", "results/own/thing.txt", "elsewhere/kernels/x.csv",
    ],
)  # fmt: skip
def test_what_the_config_knows_passes_and_so_does_what_is_none_of_ours(target):
    check_targets(CONFIG, [target])


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (
            "results/local/benchmarks/ansor-80/resnet18-to-alexnt.csv",
            "no model 'alexnt'; it has resnet18, alexnet; did you mean 'alexnet'?",
        ),
        (
            "results/local/transfer/ansor-80/resnet81-to-alexnet/log.json",
            "no source 'resnet81'; it has resnet18, alexnet, pool; did you mean 'resnet18'?",
        ),
        ("results/locl/kernels/alexnet.csv", "no hardware 'locl'; it has local; did you mean"),
        ("results/local/library/resnet-ansor-80/manifest.json", "no model 'resnet'"),
    ],
)
def test_a_misspelt_name_has_its_line(target, said):
    with pytest.raises(UserError) as caught:
        check_targets(CONFIG, ["all", target])
    assert str(caught.value).startswith(f"{target}: the config has {said}")
