"""GPUs as the driver's tool tells of them; no GPU is needed."""

import json
import os
import random
import stat
import sys

import pytest

from rivulet.errors import UserError
from rivulet.hardware import Device, fingerprint, gpu
from rivulet.hardware.fingerprint import describe, environment
from rivulet.hardware.gpu import Gpu, read_gpus, visible_gpu
from rivulet.schedules.thread_tiles import ThreadTiles
from rivulet.tvm_compat import cuda

ANSWER = """\
0, GPU-aaaa1111-0, NVIDIA A100-SXM4-40GB, 8.0, 550.54.15, 40960
1, GPU-bbbb2222-0, NVIDIA GeForce RTX 3060, 8.6, 550.54.15, 12288
"""
CUDA = Device("gpu", "cuda", 1)


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A stand-in for the driver's tool that answers what it is told to."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpu.this_gpu.cache_clear()

    def answer(text, status=0):
        (tmp_path / "answer").write_text(text)
        path = tmp_path / "nvidia-smi"
        path.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\nexit {status}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    yield answer
    gpu.this_gpu.cache_clear()


def test_the_tools_answer_becomes_a_target(tool):
    tool(ANSWER)
    found = gpu.this_gpu()
    assert found == Gpu(0, "GPU-aaaa1111-0", "NVIDIA A100-SXM4-40GB", "8.0", "550.54.15", 40960)
    target = found.target()
    assert (target["kind"], target["arch"]) == ("cuda", "sm_80")
    assert target["max_threads_per_block"] == 1024
    assert target["max_shared_memory_per_block"] == 49152


@pytest.mark.parametrize(
    ("visible", "index"),
    [(None, 0), ("1", 1), ("1,0", 1), ("GPU-bbbb", 1), ("2", None), ("", None), ("-1", None)],
)
def test_the_first_visible_gpu_is_meant(visible, index):
    found = visible_gpu(read_gpus(ANSWER), visible)
    assert (found.index if found else None) == index


def test_a_gpu_that_hides_its_memory_is_understood_and_nonsense_is_not():
    (hidden,) = read_gpus("0, GPU-c, GRID T4, 7.5, 535.1, [N/A]\n")
    assert (hidden.arch, hidden.memory_mib) == ("sm_75", 0)
    with pytest.raises(ValueError, match="values, not 6"):
        read_gpus("No devices were found\n")
    with pytest.raises(ValueError, match="no compute capability"):
        read_gpus("0, GPU-c, Old, [N/A], 390.1, 1024\n")


def test_the_fingerprint_is_the_gpus_and_not_the_cpus(tool, monkeypatch):
    tool(ANSWER)
    first = fingerprint(CUDA)
    assert set(describe(CUDA)) == {
        "gpu", "compute_capability", "driver", "gpu_memory_mib", "runner", "target",
    }  # fmt: skip
    assert fingerprint(Device("gpu", "cuda", 2)) == first  # threads of the host change no kernel
    assert environment(CUDA)["gpu_uuid"] == "GPU-aaaa1111-0"
    gpu.this_gpu.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert fingerprint(CUDA) != first
    gpu.this_gpu.cache_clear()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    tool(ANSWER.replace("550.54.15", "560.1"))
    assert fingerprint(CUDA) != first


def test_without_a_gpu_one_line_says_so(tool, monkeypatch):
    tool("")
    with pytest.raises(UserError, match=r"sees no NVIDIA GPU \(nvidia-smi lists 0\)"):
        fingerprint(CUDA)
    tool("Failed to initialize NVML: Driver/library version mismatch\n", 18)
    with pytest.raises(UserError, match=r"nvidia-smi failed \(Failed to initialize NVML"):
        fingerprint(CUDA)
    tool("?\n")
    with pytest.raises(UserError, match="not understood"):
        fingerprint(CUDA)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="no NVIDIA GPU: nvidia-smi is not there"):
        fingerprint(Device("gpu", json.dumps({"kind": "cuda", "arch": "sm_80"}), 1))


def test_what_kind_of_device_a_target_makes():
    assert Device("x", "auto", 1).kind == "cpu"
    assert Device("x", '{"kind": "llvm"}', 1).kind == "cpu"
    assert Device("x", '{"arch": "sm_80", "kind": "cuda"}', 1).kind == CUDA.kind == "cuda"


# --- Tiles -----------------------------------------------------------------------------------
LIMITS = ThreadTiles(levels=5, fewest=32, most=1024)
EXTENTS, INNERMOST = [1, 28, 28, 64], [64, 64, 64, 64]


def product(values):
    found = 1
    for value in values:
        found *= value
    return found


@pytest.mark.parametrize("extents", [EXTENTS, [1, 7, 7, 2048], [1, 3, 3, 4], [1, 1, 1, 32]])
def test_sampled_tiles_can_be_launched(extents):
    rng = random.Random(1)
    seen = set()
    for _ in range(60):
        splits = LIMITS.sample(extents, INNERMOST, rng)
        assert [product(split) for split in splits] == extents
        assert all(split[-1] <= limit for split, limit in zip(splits, INNERMOST, strict=True))
        assert 32 <= product(split[2] for split in splits) <= 1024
        seen.add(tuple(splits))
    assert len(seen) > 3 or product(extents) < 64


def test_a_loop_shorter_than_a_warp_has_no_tile():
    assert not LIMITS.possible([1, 10])
    assert LIMITS.sample([1, 10], [64, 64], random.Random(1)) == [None, None]
    assert LIMITS.nearest([(1, 1, 32, 1, 1)], [7], [64]) is None


def test_the_nearest_tiles_keep_the_threads_and_a_split_that_fits_as_it_is():
    own = [(1, 1, 1, 1, 1), (7, 1, 4, 1, 1), (7, 2, 2, 1, 1), (2, 1, 16, 1, 2)]
    assert LIMITS.nearest(own, EXTENTS, INNERMOST) == own
    other = LIMITS.nearest(own, [1, 14, 14, 256], INNERMOST)
    assert [product(split) for split in other] == [1, 14, 14, 256]
    assert 64 <= product(split[2] for split in other) <= 256
    small = LIMITS.nearest(own, [1, 4, 4, 4], INNERMOST)
    assert 32 <= product(split[2] for split in small) <= 64


# --- The compiler of CUDA code -------------------------------------------------------------------
@pytest.fixture
def compilers(tmp_path, monkeypatch):
    """Choose the compiler where a toolkit and a package are, or are not; returns what was set."""

    def choose(headers, package, library=True, environ=()):
        toolkit = tmp_path / "toolkit"
        (toolkit / "bin").mkdir(parents=True)
        (toolkit / "bin" / "nvcc").write_text("#!/bin/sh\n")
        (toolkit / "bin" / "nvcc").chmod(0o755)
        if headers:
            (toolkit / "include").mkdir()
            (toolkit / "include" / "cuda_runtime.h").touch()
        if package:
            bindings = tmp_path / "site" / "cuda" / "bindings"
            bindings.mkdir(parents=True)
            body = "return 13, 0" if library else "raise RuntimeError('libnvrtc is not there')"
            (bindings / "nvrtc.py").write_text(f"def nvrtcVersion():\n    {body}\n")
        # A link on the PATH, as distributions make it, with no headers beside it.
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "nvcc").symlink_to(toolkit / "bin" / "nvcc")
        monkeypatch.setattr(cuda, "_USUAL_TOOLKIT", tmp_path / "nowhere")
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        for name in [name for name in sys.modules if name.partition(".")[0] == "cuda"]:
            monkeypatch.delitem(sys.modules, name)
        for name in ("CUDA_PATH", "TVM_CUDA_COMPILE_MODE"):
            monkeypatch.setenv(name, "")  # so that what is set here is undone
            monkeypatch.delenv(name)
        for name, value in environ:
            monkeypatch.setenv(name, value)
        cuda.prepare_cuda()
        found = os.environ.get("CUDA_PATH"), os.environ.get("TVM_CUDA_COMPILE_MODE")
        return tuple(value and value.replace(str(toolkit), "TOOLKIT") for value in found)

    yield choose
    for name in [name for name in sys.modules if name.partition(".")[0] == "cuda"]:
        del sys.modules[name]


def test_nvrtc_compiles_where_its_package_library_and_headers_are(compilers):
    assert compilers(headers=True, package=True) == ("TOOLKIT", None)  # None: TVM's default


@pytest.mark.parametrize(
    ("headers", "package", "library"),
    [(True, False, True), (True, True, False), (False, True, True)],
)
def test_nvcc_compiles_where_nvrtc_cannot(compilers, headers, package, library):
    found = compilers(headers, package, library)
    assert found == ("TOOLKIT" if headers else None, "nvcc")


def test_what_the_user_has_set_stays(compilers):
    chosen = (("CUDA_PATH", "/elsewhere"), ("TVM_CUDA_COMPILE_MODE", "nvrtc"))
    assert compilers(True, True, environ=chosen) == ("/elsewhere", "nvrtc")
