"""From ONNX to ONNX: steps on the copy that is imported; other runtimes get the user's file."""
