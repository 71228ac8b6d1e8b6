"""Which models are exported, and what they are built from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from rivulet.conformance.exported import own_modules
from rivulet.models.export import keep_signal
from rivulet.models.torchvision_import import import_torchvision

TORCHVISION, TIMM, TRANSFORMERS, OWN = "torchvision", "timm", "transformers", "own"
_SEED = 0
_VOCABULARY = 1000


@dataclass(frozen=True)
class Sample:
    """A model that users export.

    Attributes:
        name: What its package calls it.
        package: Where it is from.
        shapes: Shape of each input, by the name of the argument.
        build: Makes the module.
        output: Which of several outputs is exported; None for a module with one.
    """

    name: str
    package: str
    shapes: Mapping[str, tuple[int, ...]]
    build: Callable[[], Any]
    output: str | int | None = None

    def module(self) -> Any:
        """The module in evaluation mode with random weights, the same in any process.

        It takes the inputs in their order and returns one tensor.
        """
        torch, _ = import_torchvision()  # before other packages import it in their way
        torch.manual_seed(_SEED)
        module = self.build().eval()
        if self.package != TRANSFORMERS and len(self.shapes) == 1:
            (shape,) = self.shapes.values()
            keep_signal(torch, module, list(shape))
        return _with_one_output(torch, module, tuple(self.shapes), self.output)

    def inputs(self) -> tuple[Any, ...]:
        """Seeded inputs to export it with."""
        torch, _ = import_torchvision()
        generator = torch.Generator().manual_seed(_SEED)

        def draw(name: str, shape: tuple[int, ...]) -> Any:
            if name == "input_ids":
                return torch.randint(_VOCABULARY, shape, generator=generator)
            if name in ("attention_mask", "token_type_ids"):
                return torch.full(shape, int(name == "attention_mask"))
            return torch.randn(shape, generator=generator)

        return tuple(draw(*one) for one in self.shapes.items())


def _with_one_output(
    torch: Any, core: Any, names: tuple[str, ...], output: str | int | None
) -> Any:
    class OneOutput(torch.nn.Module):  # type: ignore[misc]
        """Passes the inputs on by name, and gives one of the outputs."""

        def __init__(self) -> None:
            super().__init__()
            self.core = core

        def forward(self, *inputs: Any) -> Any:
            return self.core(**dict(zip(names, inputs, strict=True)))[output]

    return core if output is None else OneOutput()


def _torchvision(name: str, **options: Any) -> Any:
    _, torchvision = import_torchvision()
    return torchvision.models.get_model(name, weights=None, **options)


def _timm(name: str) -> Any:
    import timm

    return timm.create_model(name, pretrained=False)


def _transformers(name: str, config: str, **options: Any) -> Any:
    import transformers

    return getattr(transformers, name)(getattr(transformers, config)(**options))


def _whisper_encoder(**options: Any) -> Any:
    return _transformers("WhisperModel", "WhisperConfig", **options).encoder


def _of_torchvision(
    name: str,
    shapes: Mapping[str, tuple[int, ...]],
    output: str | int | None = None,
    **options: Any,
) -> Sample:
    return Sample(name, TORCHVISION, shapes, partial(_torchvision, name, **options), output)


def _segmentation(name: str, argument: str = "x") -> Sample:
    return _of_torchvision(name, _image(64, argument), "out", weights_backbone=None)


def _of_timm(name: str, size: int = 96) -> Sample:
    return Sample(name, TIMM, {"x": (1, 3, size, size)}, partial(_timm, name))


def _of_transformers(
    name: str, parts: str, shapes: Mapping[str, tuple[int, ...]], **options: Any
) -> Sample:
    build = partial(_transformers, f"{parts}Model", f"{parts.removesuffix('Encoder')}Config")
    return Sample(name, TRANSFORMERS, shapes, partial(build, **options), "last_hidden_state")


def _image(size: int, name: str = "x") -> dict[str, tuple[int, ...]]:
    return {name: (1, 3, size, size)}


_MASKED_TEXT = {"input_ids": (1, 32), "attention_mask": (1, 32)}
_PAIR_OF_TEXTS = {**_MASKED_TEXT, "token_type_ids": (1, 32)}
_WIDTHS = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
_WIDTHS_INSIDE = {**_WIDTHS, "intermediate_size": 128}

SAMPLES = (
    _segmentation("fcn_resnet50"),
    _segmentation("deeplabv3_mobilenet_v3_large"),
    _segmentation("lraspp_mobilenet_v3_large", "input"),
    _of_torchvision("r3d_18", {"x": (1, 3, 4, 32, 32)}),
    _of_torchvision(
        "raft_small",
        {"image1": (1, 3, 128, 128), "image2": (1, 3, 128, 128)},
        -1,
    ),
    _of_timm("convnextv2_atto"),
    _of_timm("edgenext_xx_small"),
    _of_timm("efficientvit_b0"),
    _of_timm("fastvit_t8"),
    _of_timm("ghostnet_100"),
    _of_timm("levit_128s", 224),
    _of_timm("mixer_s32_224", 224),
    _of_timm("mobilevit_xxs"),
    _of_timm("poolformer_s12"),
    _of_timm("sequencer2d_s", 224),
    _of_timm("volo_d1_224", 224),
    _of_transformers("bert", "Bert", _PAIR_OF_TEXTS, vocab_size=_VOCABULARY, **_WIDTHS_INSIDE),
    _of_transformers(
        "distilbert", "DistilBert", _MASKED_TEXT,
        vocab_size=_VOCABULARY, dim=64, hidden_dim=128, n_layers=2, n_heads=4,
    ),
    _of_transformers(
        "gpt2", "GPT2", _MASKED_TEXT,
        vocab_size=_VOCABULARY, n_embd=64, n_layer=2, n_head=4, n_positions=64, use_cache=False,
    ),
    _of_transformers(
        "llama", "Llama", _MASKED_TEXT,
        vocab_size=_VOCABULARY, num_key_value_heads=2, use_cache=False, **_WIDTHS_INSIDE,
    ),
    _of_transformers(
        "segformer", "Segformer", _image(64, "pixel_values"),
        hidden_sizes=[16, 32, 64, 64], depths=[1, 1, 1, 1],
    ),
    _of_transformers(
        "t5_encoder", "T5Encoder", _MASKED_TEXT,
        vocab_size=_VOCABULARY, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4,
        attn_implementation="eager",  # the newer exporter fails on the other
    ),
    _of_transformers(
        "vit", "ViT", _image(64, "pixel_values"), image_size=64, patch_size=16, **_WIDTHS_INSIDE
    ),
    _of_transformers(
        "wav2vec2", "Wav2Vec2", {"input_values": (1, 8000)},
        conv_dim=[32] * 7, num_conv_pos_embedding_groups=4, num_conv_pos_embeddings=16,
        **_WIDTHS_INSIDE,
    ),
    Sample(
        "whisper_encoder", TRANSFORMERS, {"input_features": (1, 80, 64)},
        partial(
            _whisper_encoder, d_model=64, encoder_layers=2, encoder_attention_heads=4,
            encoder_ffn_dim=128, decoder_layers=1, decoder_attention_heads=4,
            decoder_ffn_dim=64, max_source_positions=32,
        ),
        "last_hidden_state",
    ),
    Sample("unet", OWN, {"image": (1, 3, 64, 64)}, own_modules.unet),
    Sample("dcgan_generator", OWN, {"noise": (1, 100, 1, 1)}, own_modules.dcgan_generator),
    Sample("super_resolution", OWN, {"image": (1, 1, 64, 64)}, own_modules.super_resolution),
)  # fmt: skip
