"""From a device to a TVM target whose features the CPU really has."""

from __future__ import annotations

import json
from typing import Any

from rivulet.errors import UserError, last_line
from rivulet.hardware.cpu import cpu_info
from rivulet.hardware.fingerprint import Device
from rivulet.hardware.gpu import CUDA, LIMITS, this_gpu
from rivulet.tvm_compat import load_intrinsics, load_tvm

_ARM = ("aarch64", "arm64")
_CHECKED = ("avx", "fma", "f16c", "amx", "gfni", "vaes", "vpclmulqdq")


def missing_features(implied: list[str], flags: frozenset[str]) -> list[str]:
    """Vector features that LLVM's CPU name implies but the CPU does not report.

    A virtual machine may mask features (AVX-512, often) while it keeps the name of a CPU that
    has them; code generated for the name alone would stop at an illegal instruction.

    Args:
        implied: LLVM feature names of the CPU name, such as ``avx512f``.
        flags: Feature flags from the operating system.

    Returns:
        LLVM feature names to switch off, sorted.
    """
    # LLVM's names and the operating system's differ in punctuation only (avx512bf16, avx512_bf16).
    present = {flag.replace("_", "") for flag in flags}
    return sorted(
        name
        for name in implied
        if name.startswith(_CHECKED) and name.replace("-", "") not in present
    )


def enabled_features(target: Any) -> set[str]:
    """LLVM's names of the features that code for a CPU target may use."""
    names = {str(name) for name in load_tvm().target.codegen.llvm_get_cpu_features(target)}
    for attribute in target.attrs.get("mattr", ()):
        sign, name = str(attribute)[0], str(attribute)[1:]
        (names.discard if sign == "-" else names.add)(name)
    return names


def needed_features(target: Any) -> list[str]:
    """Vector features that code for a CPU target may use.

    Names without punctuation, which are Linux's too once its underscores are left out.
    """
    if str(target.kind.name) != "llvm":
        return []
    found = (name for name in enabled_features(target) if name.startswith(_CHECKED))
    return sorted(name.replace("-", "") for name in found)


def resolve_target(device: Device) -> Any:
    """Return the ``tvm.target.Target`` of a device.

    ``auto`` takes LLVM's name of the host CPU and switches off what the CPU does not report.
    ``num-cores`` follows the device's threads, because it changes the search space as the
    threads change the measurement: both have to agree.

    ``cuda`` describes this machine's GPU. A GPU's target has this machine's CPU as its host, which
    launches the kernels.

    Raises:
        UserError: The GPU is to be described, and there is none; TVM knows no such target.
    """
    tvm = load_tvm()
    if device.kind == CUDA:
        return _gpu_target(device)
    if device.target != "auto":
        spec = {"num-cores": device.threads, **json.loads(device.target)}
        if device.architecture in _ARM:
            load_intrinsics("arm_cpu")
        return tvm.target.Target(spec)
    return this_cpu(device.threads)


def _gpu_target(device: Device) -> Any:
    tvm = load_tvm()
    given = this_gpu().target() if device.target == CUDA else json.loads(device.target)
    host = this_cpu(device.threads) if device.is_here else tvm.target.Target({"kind": "llvm"})
    try:
        # A tag stands for attributes, of which those in the config take precedence.
        tagged = dict(tvm.target.Target(given["tag"]).attrs) if "tag" in given else {}
        own = {key: value for key, value in given.items() if key != "tag"}
        return tvm.target.Target({**LIMITS, **tagged, **own}, host=host)
    except Exception as error:
        raise UserError(
            f"hardware.{device.name}.target: TVM refuses {json.dumps(given)}: {last_line(error)}"
        ) from error


def this_cpu(threads: int) -> Any:
    """The target of this machine's CPU, without features that it only claims to have.

    Args:
        threads: Threads that kernels run on.
    """
    tvm = load_tvm()
    codegen = tvm.target.codegen
    spec = {"kind": "llvm", "mcpu": codegen.llvm_get_system_cpu(), "num-cores": threads}
    flags = cpu_info()[1]
    if flags:
        implied = [str(name) for name in codegen.llvm_get_cpu_features(tvm.target.Target(spec))]
        missing = missing_features(implied, flags)
        if missing:
            spec["mattr"] = [f"-{name}" for name in missing]
    return tvm.target.Target(spec)
