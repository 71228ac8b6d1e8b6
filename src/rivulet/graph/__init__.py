"""Graph preparation: from a model's ONNX file to the module whose kernels are tuned.

`prepare.py` shows the steps in their order: ONNX to ONNX (`onnx`), import (`importing.py`,
`converters`), then passes over the imported module (`layout`, `passes`).
"""
