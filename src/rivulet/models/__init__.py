"""Models: from torchvision or a user's file to ONNX, and from ONNX to what TVM compiles."""
