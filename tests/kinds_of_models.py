"""Five small models, each of another kind: what they read, and what they are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx_text import model_of

_UNET = """u (float[1, 3, 16, 16] image) => (float[1, 2, 16, 16] classes) {
  c1 = Conv <pads = [1, 1, 1, 1]> (image, w1, b1)  wide = Relu (c1)
  small = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (wide)
  c2 = Conv <pads = [1, 1, 1, 1]> (small, w2, b2)  deep = Relu (c2)
  up = ConvTranspose <strides = [2, 2]> (deep, w3, b3)
  both = Concat <axis = 1> (wide, up)
  c4 = Conv <pads = [1, 1, 1, 1]> (both, w4, b4)  last = Relu (c4)
  classes = Conv (last, w5, b5)
}"""

# Sixteen channels in two heads; where the mask is 0, nobody looks.
_ENCODER = """e (int64[1, 8] input_ids, int64[1, 8] attention_mask) => (float[1, 4] logits)
  <int64[4] split = {1, 8, 2, 8}, int64[3] joined = {1, 8, 16},
   int64[2] inner = {1, 2}, float one = {1}, float half = {0.5}, float far = {-10000},
   float scale = {0.35355339}, float root = {1.4142135}, int64 first = {0}> {
  words = Gather (table, input_ids)  placed = Add (words, places)
  x = LayerNormalization <axis = -1> (placed, g1, b1)
  q0 = MatMul (x, wq)  q1 = Reshape (q0, split)  q = Transpose <perm = [0, 2, 1, 3]> (q1)
  k0 = MatMul (x, wk)  k1 = Reshape (k0, split)  k = Transpose <perm = [0, 2, 3, 1]> (k1)
  v0 = MatMul (x, wv)  v1 = Reshape (v0, split)  v = Transpose <perm = [0, 2, 1, 3]> (v1)
  seen0 = Unsqueeze (attention_mask, inner)  seen = Cast <to = 1> (seen0)
  unseen = Sub (one, seen)  away = Mul (unseen, far)
  qk = MatMul (q, k)  scaled = Mul (qk, scale)  masked = Add (scaled, away)
  shares = Softmax <axis = -1> (masked)
  a0 = MatMul (shares, v)  a1 = Transpose <perm = [0, 2, 1, 3]> (a0)  a = Reshape (a1, joined)
  o = MatMul (a, wo)  r1 = Add (o, x)  n1 = LayerNormalization <axis = -1> (r1, g2, b2)
  f0 = MatMul (n1, w1)  f1 = Add (f0, c1)
  f2 = Div (f1, root)  f3 = Erf (f2)  f4 = Add (f3, one)  f5 = Mul (f1, f4)  f6 = Mul (f5, half)
  f7 = MatMul (f6, w2)  f8 = Add (f7, c2)  r2 = Add (f8, n1)
  n2 = LayerNormalization <axis = -1> (r2, g3, b3)
  class = Gather <axis = 1> (n2, first)  logits = Gemm (class, w3, c3)
}"""

_AUDIO = """a (float[1, 1, 256] wave) => (float[1, 5] words) {
  c1 = Conv <strides = [4], pads = [4, 4]> (wave, w1, b1)  r1 = Relu (c1)
  p1 = MaxPool <kernel_shape = [2], strides = [2]> (r1)
  c2 = Conv <pads = [1, 1]> (p1, w2, b2)  r2 = Relu (c2)
  mean = GlobalAveragePool (r2)  flat = Flatten (mean)  words = Gemm (flat, w3, b3)
}"""

_VIDEO = """v (float[1, 3, 4, 12, 12] frames) => (float[1, 5] actions) {
  c1 = Conv <pads = [1, 1, 1, 1, 1, 1]> (frames, w1, b1)  r1 = Relu (c1)
  p1 = MaxPool <kernel_shape = [1, 2, 2], strides = [1, 2, 2]> (r1)
  c2 = Conv <pads = [1, 1, 1, 1, 1, 1], strides = [2, 2, 2]> (p1, w2, b2)  r2 = Relu (c2)
  mean = GlobalAveragePool (r2)  flat = Flatten (mean)  actions = Gemm (flat, w3, b3)
}"""

# Steps of quantisation as a tool writes them: around every operator, weights as int8.
_QUANTISED = """q (uint8[1, 3, 12, 12] pixels) => (float[1, 5] labels)
  <float sx = {0.0078125}, uint8 zx = {128}, float sw = {0.003}, int8 zw = {0},
   float sa = {0.02}, uint8 za = {0}> {
  x = DequantizeLinear (pixels, sx, zx)
  w1 = DequantizeLinear (w1q, sw, zw)  w2 = DequantizeLinear (w2q, sw, zw)
  c1 = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)  r1 = Relu (c1)
  q1 = QuantizeLinear (r1, sa, za)  d1 = DequantizeLinear (q1, sa, za)
  c2 = Conv <pads = [1, 1, 1, 1]> (d1, w2, b2)  r2 = Relu (c2)
  q2 = QuantizeLinear (r2, sa, za)  d2 = DequantizeLinear (q2, sa, za)
  mean = GlobalAveragePool (d2)  flat = Flatten (mean)  labels = Gemm (flat, w3, b3)
}"""

_WEIGHTS = {
    "unet": {
        "w1": (8, 3, 3, 3), "b1": (8,), "w2": (16, 8, 3, 3), "b2": (16,),
        "w3": (16, 8, 2, 2), "b3": (8,), "w4": (8, 16, 3, 3), "b4": (8,),
        "w5": (2, 8, 1, 1), "b5": (2,),
    },
    "encoder": {
        "table": (50, 16), "places": (8, 16), "wq": (16, 16), "wk": (16, 16), "wv": (16, 16),
        "wo": (16, 16), "w1": (16, 32), "c1": (32,), "w2": (32, 16), "c2": (16,),
        "w3": (16, 4), "c3": (4,), **{f"{name}{i}": (16,) for name in "gb" for i in (1, 2, 3)},
    },
    "audio": {
        "w1": (8, 1, 9), "b1": (8,), "w2": (16, 8, 3), "b2": (16,), "w3": (16, 5), "b3": (5,),
    },
    "video": {
        "w1": (8, 3, 3, 3, 3), "b1": (8,), "w2": (16, 8, 3, 3, 3), "b2": (16,),
        "w3": (16, 5), "b3": (5,),
    },
    "quantised": {
        "w1q": (8, 3, 3, 3), "b1": (8,), "w2q": (16, 8, 3, 3), "b2": (16,),
        "w3": (16, 5), "b3": (5,),
    },
}  # fmt: skip
_GRAPHS = {
    "unet": _UNET, "encoder": _ENCODER, "audio": _AUDIO, "video": _VIDEO, "quantised": _QUANTISED,
}  # fmt: skip


def write_kinds(folder: Path) -> dict[str, dict[str, str]]:
    """Write one file of each kind.

    Args:
        folder: Folder of the files, made where it is not there.

    Returns:
        Entries for ``models:`` of a config, with paths from the folder's parent.
    """
    import onnx

    folder.mkdir(parents=True, exist_ok=True)
    entries = {}
    for name, graph in _GRAPHS.items():
        draw = np.random.default_rng(0)
        weights = {
            weight: draw.integers(-127, 128, shape).astype(np.int8)
            if weight.endswith("q") and name == "quantised"
            else draw.normal(0.2, 0.3, shape).astype(np.float32)
            for weight, shape in _WEIGHTS[name].items()
        }
        onnx.save(model_of(graph, **weights), folder / f"{name}.onnx")
        entries[name] = {"onnx": f"{folder.name}/{name}.onnx"}
    return entries
