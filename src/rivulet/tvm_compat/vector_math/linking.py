"""The functions' LLVM code as part of the modules that TVM makes.

A rule may return an expression only, and TVM's expressions know no other way to name an
intermediate result than ``Let``, which TVM's simplifier expands wherever the name is used: two
nested exponentials took 40 s to compile. So a rule returns a call, and the module that it ends up
in gets the function, which LLVM inlines before it does anything else.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

from rivulet.tvm_compat.vector_math.llvm import Function, Value

# TVM's pipelines for whole kernels: of the scheduled ones, and of all others.
_PIPELINES = ("tvm.s_tir.pipeline", "tvm.tirx.compilation_pipeline")
_LAST_PASSES = "finalize_host_passes"
_wanted: dict[str, str] = {}
_texts: dict[str, str] = {}


def wanted(title: str, lanes: int, body: Callable[[Function, Value], Value]) -> str:
    """Ask for a function in the module that is being compiled; returns its name there."""
    symbol = f"rivulet_{title}_{lanes}"
    if symbol not in _texts:
        _texts[symbol] = Function(symbol, lanes).text(body)
    _wanted[symbol] = _texts[symbol]
    return symbol


@cache
def install() -> None:
    """Let the last passes of TVM's pipelines add the functions that were asked for."""
    for name in _PIPELINES:
        pipeline = importlib.import_module(name)
        setattr(pipeline, _LAST_PASSES, _followed_by_linking(getattr(pipeline, _LAST_PASSES)))


def _followed_by_linking(passes: Callable[[], Any]) -> Callable[[], Any]:
    def with_linking() -> Any:
        import tvm

        link = tvm.transform.module_pass(_link, opt_level=0, name="rivulet.vector_math")
        _wanted.clear()
        return tvm.transform.Sequential([passes(), link])

    return with_linking


def _link(module: Any, _context: Any) -> Any:
    """Attach the functions' code to a function of the module; the code generator does the rest."""
    from tvm import tirx
    from tvm.ir import StringImm

    if not _wanted:
        return module
    declared: dict[str, None] = {}
    code = []
    for text in _wanted.values():
        head, _, rest = text.partition("define")
        declared.update(dict.fromkeys(head.splitlines()))
        code.append(f"define{rest}")
    text = StringImm("\n".join([*declared, *code]))
    for variable, function in module.functions.items():
        if isinstance(function, tirx.PrimFunc):
            zero = tirx.const(0, "int32")
            body = tirx.AttrStmt(zero, "pragma_import_llvm", text, function.body)
            module.update_func(variable, function.with_body(body))
            break
    _wanted.clear()
    return module
