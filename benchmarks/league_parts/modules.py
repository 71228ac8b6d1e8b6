"""The contestants as PyTorch modules, with random weights that carry the input to the output."""

from __future__ import annotations

from typing import Any

from league_parts.contestants import SEED, TIMM, TORCHVISION, Contestant, named
from rivulet.models.export import build_torchvision, keep_signal
from rivulet.models.torchvision_import import import_torchvision

_MODELS_OF_TEXT = {
    "bert_tiny": ("BertConfig", "BertModel"),
    "distilbert": ("DistilBertConfig", "DistilBertModel"),
}
_LEAST_TOKEN, _VOCABULARY = 1000, 30000  # of both models of text, without the special tokens


def build_module(name: str) -> Any:
    """A contestant's module in evaluation mode; the same one every time, in any process.

    It takes the model's inputs in their order and returns one tensor.
    """
    one = named(name)
    if one.package == TORCHVISION:
        return build_torchvision(name, one.shape, "random", SEED)
    # Both packages import torchvision, which has to be done in this way.
    torch, _ = import_torchvision()
    torch.manual_seed(SEED)
    if one.package == TIMM:
        import timm

        model = timm.create_model(name, pretrained=False).eval()
        keep_signal(torch, model, one.shape)
        return model
    return _text_model(torch, one).eval()


def example_inputs(one: Contestant, seed: int) -> tuple[Any, ...]:
    """Seeded inputs for a contestant's module."""
    torch, _ = import_torchvision()
    generator = torch.Generator().manual_seed(seed)
    if one.size:
        return (torch.randn(*one.shape, generator=generator),)
    tokens = torch.randint(_LEAST_TOKEN, _VOCABULARY, one.shape, generator=generator)
    others = {"attention_mask": torch.ones_like(tokens), "token_type_ids": torch.zeros_like(tokens)}
    return tuple(others.get(name, tokens) for name in one.inputs)


def _text_model(torch: Any, one: Contestant) -> Any:
    import transformers

    configuration, model = (getattr(transformers, part) for part in _MODELS_OF_TEXT[one.name])
    # The other forms of attention are operators of PyTorch's own, and no matrix products in ONNX.
    core = model(configuration(attn_implementation="eager", **dict(one.options)))
    for module in core.modules():
        if isinstance(module, torch.nn.Linear):
            # Outputs as large as inputs: neither does attention saturate, nor does it not matter.
            torch.nn.init.normal_(module.weight, std=module.in_features**-0.5)
            torch.nn.init.normal_(module.bias, std=0.1)

    class Encoder(torch.nn.Module):  # type: ignore[misc]
        """Names the inputs, and gives the states of the last layer alone."""

        def __init__(self) -> None:
            super().__init__()
            self.core = core

        def forward(self, *inputs: Any) -> Any:
            given = dict(zip(one.inputs, inputs, strict=True))
            return self.core(**given).last_hidden_state

    return Encoder()
