"""Where models and schedules come from: the definitions of models, and logs from elsewhere."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    WithJsonSchema,
)

from rivulet.config.context import base_folder, places_known
from rivulet.config.onnx_inputs import (
    INPUTS_ALLOWED,
    ONNX_SHAPE_ALLOWED,
    checked_inputs,
    checked_onnx_shape,
)
from rivulet.config.problems import Allowed, Problem, did_you_mean, refuse, shown
from rivulet.config.torchvision_names import classification_models
from rivulet.config.values import SHAPE_ALLOWED, Seed, checked_shape


class Settings(BaseModel):
    """What all parts of the configuration have in common: unknown keys are refused."""

    # strict: neither true nor "16" is the integer it could be turned into.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


# --- Models ------------------------------------------------------------------------------------
def _torchvision_name(name: str) -> str:
    known = classification_models()
    if known and name not in known:
        hint = did_you_mean(name, known)
        hint = hint or f"; allowed: one of the {len(known)} that torchvision.models registers"
        refuse(Problem((), f"{shown(name)} is no torchvision classification model{hint}"))
    return name


_ONNX_ALLOWED = "an existing ONNX file, relative to the working directory"


def _onnx_file(name: str, info: ValidationInfo) -> str:
    if places_known(info) is not None:
        return name
    path = base_folder(info) / name
    try:
        folder, exists = path.is_dir(), path.is_file()
    except OSError:  # for example a name longer than the file system takes
        folder, exists = False, False
    if folder:
        refuse(Problem((), f"{shown(name)} is a directory; allowed: {_ONNX_ALLOWED}"))
    if not exists:
        refuse(Problem((), f"{shown(name)} is no such file; allowed: {_ONNX_ALLOWED}"))
    return name


Family = Annotated[
    str,
    Field(min_length=1, max_length=64),
    Allowed("auto, or 1 to 64 characters of your choice, such as resnet"),
]


_FAMILY = (
    "Family, for the choice of pairs; auto is torchvision's, such as resnet, for a model of it and "
    "for a file whose name here is one of its names, and the letters that the name begins with "
    "for others"
)


class TorchvisionModel(Settings):
    """A classification model that torchvision builds."""

    torchvision: Annotated[
        str, AfterValidator(_torchvision_name), Allowed("a torchvision classification model")
    ] = Field(description="Name of the torchvision model to build")
    shape: Annotated[
        tuple[int, int, int, int],
        BeforeValidator(checked_shape),
        Allowed(SHAPE_ALLOWED),
        WithJsonSchema(
            {
                "type": "array",
                "items": {"type": "integer", "minimum": 1},
                "minItems": 4,
                "maxItems": 4,
            }
        ),
    ] = Field(
        default=(1, 3, 224, 224),
        description="Shape of the input: batch, channels, height, width",
    )
    weights: Literal["random", "DEFAULT"] = Field(
        default="random",
        description="Random weights, or torchvision's default trained weights (a download)",
    )
    seed: Seed = Field(default=0, description="Seed of the random weights")
    family: Family = Field(default="auto", description=_FAMILY)


_SIZES = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1}
_NULL = {"type": "null"}
_RANGES = {
    "type": "object",
    "additionalProperties": {
        "type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2,
    },
    "minProperties": 1,
}  # fmt: skip


class OnnxModel(Settings):
    """A model read from an ONNX file, which carries its own weights."""

    onnx: Annotated[str, AfterValidator(_onnx_file), Allowed(_ONNX_ALLOWED)] = Field(
        description="Path of the ONNX file"
    )
    shape: Annotated[
        Mapping[str, Any] | tuple[Any, ...] | None,
        BeforeValidator(checked_onnx_shape),
        Allowed(ONNX_SHAPE_ALLOWED),
        WithJsonSchema(
            {"anyOf": [_SIZES, {"type": "object", "additionalProperties": _SIZES}, _NULL]}
        ),
    ] = Field(
        default=None,
        description="Sizes for dimensions that the file leaves open, by the names of inputs",
    )
    inputs: Annotated[
        Mapping[str, Any] | str | None,
        BeforeValidator(checked_inputs),
        Allowed(INPUTS_ALLOWED),
        WithJsonSchema({"anyOf": [{"type": "string"}, _RANGES, _NULL]}),
    ] = Field(
        default=None,
        description="Values of inputs, where random ones will not do: ranges, whose second number "
        "is beyond the last value, or a file with an array for each input (docs/models.md)",
    )
    family: Family = Field(default="auto", description=_FAMILY)


MODEL_KINDS: dict[str, type[TorchvisionModel] | type[OnnxModel]] = {
    "torchvision": TorchvisionModel,
    "onnx": OnnxModel,
}
_DEFINITION_ALLOWED = "a mapping with exactly one of 'torchvision' (a name) and 'onnx' (a file)"


def _one_kind(value: object) -> object:
    if isinstance(value, (TorchvisionModel, OnnxModel)):
        return value
    if not isinstance(value, dict):
        refuse(Problem((), f"{shown(value)} is no definition; allowed: {_DEFINITION_ALLOWED}"))
    kinds = [kind for kind in MODEL_KINDS if kind in value]
    if not kinds:
        near = (did_you_mean(key, list(MODEL_KINDS)) for key in value)
        hint = next(filter(None, near), "")
        text = f"{shown(value)} names no model; allowed: {_DEFINITION_ALLOWED}{hint}"
        refuse(Problem((), text))
    if len(kinds) > 1:
        refuse(Problem((), f"{shown(value)} names two models; allowed: {_DEFINITION_ALLOWED}"))
    if kinds == ["onnx"]:
        problems = [
            Problem(
                (key,),
                f"{shown(value[key])} is for torchvision models only; allowed here: "
                f"{', '.join(OnnxModel.model_fields)}",
            )
            for key in TorchvisionModel.model_fields
            if key in value and key not in OnnxModel.model_fields
        ]
        if problems:
            refuse(*problems)
    return value


def _kind(value: object) -> str:
    if isinstance(value, (TorchvisionModel, OnnxModel)):
        return "onnx" if isinstance(value, OnnxModel) else "torchvision"
    return "onnx" if isinstance(value, dict) and "onnx" in value else "torchvision"


ModelDefinition = Annotated[
    Annotated[TorchvisionModel, Tag("torchvision")] | Annotated[OnnxModel, Tag("onnx")],
    Discriminator(_kind),
    BeforeValidator(_one_kind),
]


# --- Libraries ---------------------------------------------------------------------------------
_LOG_ALLOWED = "an existing folder of a log, relative to the working directory"


def _log_folder(name: str, info: ValidationInfo) -> str:
    if places_known(info) is not None:
        return name
    path = base_folder(info) / name
    try:
        folder = path.is_dir()
    except OSError:  # for example a name longer than the file system takes
        folder = False
    if not folder:
        refuse(Problem((), f"{shown(name)} is no such folder; allowed: {_LOG_ALLOWED}"))
    if not (path / "database_tuning_record.json").exists():
        refuse(
            Problem(
                (),
                f"{shown(name)} has no database_tuning_record.json, so it is no log; "
                f"allowed: {_LOG_ALLOWED}",
            )
        )
    return name


class Donor(Settings):
    """A log from elsewhere: a colleague's, or another run's."""

    log: Annotated[str, AfterValidator(_log_folder), Allowed(_LOG_ALLOWED)] = Field(
        description="Folder of the log, with its database"
    )
    other_hardware: bool = Field(
        default=False,
        description="Whether the log may come from another device, where other schedules are fast",
    )
    family: Family = Field(
        default="auto",
        description="Family of the log's model, for the choice of pairs; auto goes by the name "
        "of the log's folder where that is one of torchvision's, and by the entry's elsewhere",
    )
