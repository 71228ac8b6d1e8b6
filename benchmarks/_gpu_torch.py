"""PyTorch on a GPU, to compare with: eager, and captured as a CUDA graph.

The installed PyTorch has to be a CUDA build; the pinned one is not. float32 stays float32: TF32 is
off for convolutions and matrix products, as nothing that TVM compiles uses it.
"""

from rivulet.models.export import build_torchvision

EAGER, GRAPH = "torch", "torch-graph"
METHODS = (EAGER, GRAPH)
_WARMUP = 5


class NoGpuForTorch(Exception):
    """PyTorch cannot run the model on a GPU here; the text says why."""


class TorchOnGpu:
    """A torchvision model on the first GPU, channels last, with cuDNN's fastest algorithms.

    Args:
        definition: The model: its name, shape, weights and seed.
        method: ``torch`` for eager, ``torch-graph`` for one launch of a captured CUDA graph.

    Raises:
        NoGpuForTorch: PyTorch is missing, has no GPU, or cannot capture the model.
    """

    def __init__(self, definition, method):
        try:
            import torch
        except ImportError as error:
            raise NoGpuForTorch(f"no PyTorch here ({error})") from error
        if not torch.cuda.is_available():
            raise NoGpuForTorch(f"PyTorch {torch.__version__} has no GPU here")
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        self._torch, self._graph = torch, None
        model = build_torchvision(
            definition["torchvision"], list(definition["shape"]), definition["weights"],
            definition["seed"],
        )  # fmt: skip
        self._model = model.cuda().to(memory_format=torch.channels_last)
        self._input = torch.zeros(definition["shape"], device="cuda").to(
            memory_format=torch.channels_last
        )
        if method == GRAPH:
            self._capture()

    def _capture(self):
        torch = self._torch
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(side), torch.inference_mode():
                for _ in range(_WARMUP):
                    self._model(self._input)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.inference_mode(), torch.cuda.graph(graph):
                self._output = self._model(self._input)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise NoGpuForTorch(f"PyTorch cannot capture it: {reason}") from error
        self._graph = graph

    def _launch(self):
        if self._graph is not None:
            self._graph.replay()
            return
        with self._torch.inference_mode():
            self._output = self._model(self._input)

    def bind(self, inputs):
        """Fix the inputs of the following runs."""
        (image,) = inputs
        self._input.copy_(self._torch.from_numpy(image))

    def run(self):
        """One inference."""
        self._launch()
        self._torch.cuda.synchronize()

    def timed(self, count):
        """Seconds of one of ``count`` inferences in a row, by CUDA events."""
        begin, end = (self._torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(count):
            self._launch()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) * 1e-3 / count

    def outputs(self):
        """Outputs of the last run, as arrays."""
        return [self._output.cpu().numpy()]
