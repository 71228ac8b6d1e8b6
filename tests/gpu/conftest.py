"""The tests here run kernels on an NVIDIA GPU, and are skipped, with the reason, where none is."""

import json

import pytest

from rivulet.errors import UserError
from rivulet.hardware import Device
from rivulet.hardware.gpu import this_gpu
from rivulet.hardware.open_place import open_place
from rivulet.hardware.target import resolve_target
from rivulet.tvm_compat import load_tvm


def _why_not():
    try:
        this_gpu()
        load_tvm()
        open_place(Device("gpu", "cuda", 1).location)
    except UserError as error:
        return str(error)
    return ""


@pytest.fixture(scope="session")
def device():
    reason = _why_not()
    if reason:
        pytest.skip(reason)
    return Device("gpu", "cuda", 1)


@pytest.fixture(scope="session")
def target(device):
    return resolve_target(device)


@pytest.fixture(scope="session")
def place(device):
    return open_place(device.location)


@pytest.fixture(scope="session")
def described(target):
    """The target as a mapping that a config may hold."""
    return json.loads(str(target))
