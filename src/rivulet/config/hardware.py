"""The section of the configuration that says what is measured on."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from rivulet.config.problems import Allowed, Problem, refuse
from rivulet.config.remote import Rpc
from rivulet.config.sources import Settings
from rivulet.config.values import TARGET_ALLOWED, TargetValue, checked_target


class Hardware(Settings):
    """A machine that schedules are tuned for and measured on."""

    target: Annotated[
        Literal["auto", "cuda"] | dict[str, TargetValue],
        BeforeValidator(checked_target),
        Allowed(TARGET_ALLOWED),
        WithJsonSchema(
            {
                "anyOf": [
                    {"enum": ["auto", "cuda"]},
                    {
                        "type": "object",
                        "required": ["kind"],
                        "properties": {"kind": {"enum": ["llvm", "cuda"]}},
                        "anyOf": [
                            {"properties": {"kind": {"const": "llvm"}}},
                            {"required": ["arch"]},
                            {"required": ["tag"]},
                        ],
                        "additionalProperties": {
                            "type": ["string", "number", "boolean", "array"],
                            "items": {"type": "string"},
                        },
                    },
                ]
            }
        ),
    ] = Field(
        default="auto",
        description="TVM target to compile for; auto describes the CPU of this machine, cuda its "
        "first NVIDIA GPU (docs/gpu.md)",
    )
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = Field(
        default="auto",
        description="Threads of a measured kernel or model; auto is the number of physical "
        "cores that this process may use [threads]",
    )
    at: Literal["here", "cluster", "elsewhere"] = Field(
        default="here",
        description="Where its results are made: here, on this machine; on a cluster's nodes that "
        "are another one (docs/slurm.md), where threads must be a number; or elsewhere, by a "
        "workflow on another machine from which results/NAME was copied here, to be shown and "
        "never made (docs/machines.md)",
    )
    runner: Literal["local", "rpc"] = Field(
        default="local",
        description="Where candidates are measured: on this machine, or on devices over TVM's RPC "
        "(docs/devices.md)",
    )
    rpc: Annotated[Rpc | None, Allowed("a mapping with tracker and key, or null")] = Field(
        default=None, description="How these are reached; needed with `runner: rpc`"
    )
    space: Literal["register-tiles", "stock"] = Field(
        default="register-tiles",
        description="Schedules that the search draws from: those whose accumulators fit the "
        "vector registers (docs/search.md), or all of TVM's; without effect on GPUs",
    )

    @model_validator(mode="after")
    def _known_from_afar(self) -> "Hardware":
        if self.at == "cluster" and self.threads == "auto":
            text = (
                "'auto' cannot be known here for a cluster's nodes (at: cluster); allowed: an "
                "integer from 1 to 1024, such as the physical cores of such a node"
            )
            refuse(Problem(("threads",), text))
        if self.at == "cluster" and self.runner == "rpc":
            text = "'rpc' and 'at: cluster' exclude each other; allowed with it: local"
            refuse(Problem(("runner",), text))
        return self

    @model_validator(mode="after")
    def _is_reached(self) -> "Hardware":
        if self.runner == "local":
            if self.rpc is not None:
                text = "is for 'runner: rpc' only; set the runner, or remove this"
                refuse(Problem(("rpc",), text))
            return self
        problems = []
        if self.rpc is None:
            text = "is missing; with 'runner: rpc', tracker and key have to be given"
            problems.append(Problem(("rpc",), text))
        if not isinstance(self.target, dict):
            text = (
                f"{self.target!r} describes this machine, and not a device over RPC; allowed: a "
                "mapping such as {kind: llvm, mtriple: aarch64-linux-gnu, mcpu: cortex-a72}"
            )
            problems.append(Problem(("target",), text))
        if self.threads == "auto":
            text = "'auto' counts this machine's cores, and not a device's; allowed: an integer"
            problems.append(Problem(("threads",), text))
        if problems:
            refuse(*problems)
        return self
