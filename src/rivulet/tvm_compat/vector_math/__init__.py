"""Transcendental functions that LLVM can run on vectors."""
