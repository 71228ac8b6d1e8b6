"""ONNX's own node tests, put through import, compilation and a run."""
