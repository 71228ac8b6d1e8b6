"""Does TVM compute a model right? Asked once per model, before anything is searched.

`check.py` holds a prepared model's outputs against ONNX Runtime's; `suspect.py` finds the operator
that a wrong output comes from; `loops.py` and `running.py` make the kernels quick enough for that.
"""
