"""Tuned models as folders that run with nothing but TVM's runtime."""
