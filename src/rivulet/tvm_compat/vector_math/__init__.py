"""Transcendental functions as arithmetic that LLVM runs on vectors.

TVM hands exp, log, tanh, erf and what is made of them to the C library, which takes one number at a
time. The rules here replace those calls on CPUs by polynomials, after scheduling, vectorisation and
unrolling: schedules, workloads and logs see the same calls as before.
"""

from rivulet.tvm_compat.vector_math.rules import left_to_tvm, register

__all__ = ["left_to_tvm", "register"]
