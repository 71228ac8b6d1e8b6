"""Models of PyTorch's packages, exported as their users export them, and held against a run."""
