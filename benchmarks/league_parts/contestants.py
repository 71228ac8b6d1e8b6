"""The models of the league."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TORCHVISION, TIMM, TRANSFORMERS = "torchvision", "timm", "transformers"
SEED = 0
SEQUENCE = 128


@dataclass(frozen=True)
class Contestant:
    """A model, with random weights.

    Attributes:
        name: Its name in the league, in the config and in file names.
        package: Where its architecture is from.
        size: Height and width of its image; 0 for models of text, whose inputs are whole numbers.
        options: Of a model of text: what its configuration says beside the defaults.
        inputs: Of a model of text: names of its inputs.
    """

    name: str
    package: str
    size: int = 0
    options: tuple[tuple[str, int], ...] = ()
    inputs: tuple[str, ...] = ()

    @property
    def shape(self) -> list[int]:
        """Shape of each input."""
        return [1, 3, self.size, self.size] if self.size else [1, SEQUENCE]

    @property
    def definition(self) -> dict[str, Any]:
        """Its entry in the workflow's config, beside the files of `exported`."""
        if self.package == TORCHVISION:
            return {"torchvision": self.name, "shape": self.shape, "seed": SEED}
        return {"onnx": f"exported/{self.name}.onnx"}


CONTESTANTS = (
    Contestant("resnet18", TORCHVISION, 224),
    Contestant("resnet50", TORCHVISION, 224),
    Contestant("googlenet", TORCHVISION, 224),
    Contestant("alexnet", TORCHVISION, 224),
    Contestant("squeezenet1_1", TORCHVISION, 224),
    Contestant("vgg16", TORCHVISION, 224),
    Contestant("mobilenet_v2", TORCHVISION, 224),
    Contestant("mobilenet_v3_large", TORCHVISION, 224),
    Contestant("efficientnet_b0", TORCHVISION, 224),
    Contestant("densenet121", TORCHVISION, 224),
    Contestant("shufflenet_v2_x1_0", TORCHVISION, 224),
    Contestant("convnext_tiny", TORCHVISION, 224),
    Contestant("vit_b_32", TORCHVISION, 224),
    Contestant("swin_t", TORCHVISION, 224),
    Contestant("mobilevit_xxs", TIMM, 256),  # the size that it was made for
    Contestant("ghostnet_100", TIMM, 224),
    Contestant(
        "bert_tiny",
        TRANSFORMERS,
        options=(
            ("hidden_size", 128), ("num_hidden_layers", 2), ("num_attention_heads", 2),
            ("intermediate_size", 512),
        ),
        inputs=("input_ids", "attention_mask", "token_type_ids"),
    ),
    Contestant("distilbert", TRANSFORMERS, inputs=("input_ids", "attention_mask")),
)  # fmt: skip
QUICK = ("resnet18", "squeezenet1_1", "mobilenet_v2", "bert_tiny")


def named(name: str) -> Contestant:
    """The contestant of that name."""
    return next(one for one in CONTESTANTS if one.name == name)
