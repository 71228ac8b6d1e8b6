"""The one door to TVM's private corners, so that an upgrade of TVM is one room's work."""

from rivulet.tvm_compat.startup import given_cpus, installed_version, load_intrinsics, load_tvm

__all__ = ["given_cpus", "installed_version", "load_intrinsics", "load_tvm"]
