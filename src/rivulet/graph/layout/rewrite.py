"""Walk over an imported function and write it anew, each operator by its rule."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from typing import Any

import numpy as np

from rivulet.graph.layout.order import (
    Order,
    Shape,
    between,
    identity,
    inverse,
    same_memory,
    stored_shape,
)
from rivulet.graph.layout.stored import Opaque, Stored, weight
from rivulet.graph.weights import computed_from_weights
from rivulet.tvm_compat import load_tvm

# A value of the old graph: a tensor, or what a tuple holds.
Value = Stored | Opaque | list["Value"]
# Gets the rewriter, the old call and its arguments; None where it has no better way than to
# take the arguments as the model has them.
Rule = Callable[["Rewriter", Any, list[Value]], Value | None]


# Why data is transposed: at the model's ends, because its author wrote so, or for nothing but
# where kernels want it. The function carries the list as an attribute of this name.
TRANSPOSES = "rivulet.transposes"
INPUT, OUTPUT, WRITTEN, INSIDE = "input", "output", "written", "inside"


class Rewriter:
    """Writes one function.

    Args:
        rules: Rule of each Relax operator, by its name.
        settling: Names of those that put data into an order of their own.
        module: Module of the function ``main``.
        weights: Numbers of its arguments after the inputs.

    Attributes:
        relax: TVM's module of that name.
        builder: Holds the new function.
        variable: What the old call that is rewritten was bound to.
        reader: Name of its operator.
    """

    def __init__(
        self,
        rules: dict[str, Rule],
        settling: Container[str],
        module: Any,
        weights: list[np.ndarray],
    ) -> None:
        tvm = load_tvm()
        from tvm import relax

        self.relax = relax
        self._tvm = tvm
        self._rules, self._settling, self._old = rules, settling, module["main"]
        self._inputs: list[Any] = []
        self.reader = ""
        self.variable: Any = None
        others = {name: f for name, f in module.functions_items() if name.name_hint != "main"}
        self.builder = relax.BlockBuilder(tvm.IRModule(others))
        self._values: dict[Any, Value] = {}
        self._weights = weights
        # A view by its identity, and what it is a view of.
        self._behind: dict[int, Any] = {}
        self._made: dict[int, int] = {}
        # What is found by its identity lives on: nothing else may get it.
        self._kept: list[Any] = []
        self._used: dict[Any, tuple[Any, np.ndarray]] = {}
        self._moved: dict[tuple[int, Order], Any] = {}
        self._transposes: list[tuple[Any, str]] = []
        self._readers = _count_readers(self._old)

    def run(self) -> tuple[Any, list[np.ndarray]]:
        """The module with the rewritten function, and the numbers of its weights."""
        relax, old = self.relax, self._old
        count = len(old.params) - len(self._weights)
        self._inputs = [relax.Var(param.name, param.ty) for param in old.params[:count]]
        inputs = self._inputs
        for param, new in zip(old.params[:count], inputs, strict=True):
            self._values[param] = self._as_value(new)
        for param, array in zip(old.params[count:], self._weights, strict=True):
            self._values[param] = weight(array)
        with self.builder.function("main"):
            with self.builder.dataflow():
                for block in old.body.blocks:
                    for binding in block.bindings:
                        self._values[binding.var] = self._rewritten(binding)
                self.reader = OUTPUT
                result = self.builder.emit_output(self.plain(self._value_of(old.body.body)))
            parameters = [*inputs, *(variable for variable, _ in self._used.values())]
            self.builder.emit_func_output(result, parameters)
        module = self.builder.get()
        main = module["main"].with_attr("num_input", count)
        # Those of weights are computed once, before the kernels are made.
        once = computed_from_weights(main)
        listed = [told for moved, told in self._transposes if moved not in once]
        main = main.with_attr(TRANSPOSES, listed)
        module.update_func(module.get_global_var("main"), main)
        return module, [array for _, array in self._used.values()]

    # --- what rules use

    def emit(self, expression: Any, order: Order | None = None) -> Value:
        """Add an expression, whose result lies in an order (the model's, when not given)."""
        value = self._as_value(self.builder.emit(expression))
        return value if order is None else self.as_lying(value, order)

    def place(self, tensor: Stored, order: Order, beside: Stored | None = None) -> Any:
        """A tensor's expression, lying in an order; a transpose is added where it has to be.

        Args:
            tensor: The tensor.
            order: The order to lie in.
            beside: Another tensor, whose order this is; that may be the author's doing, too.
        """
        tensor = self.unmerged(tensor)
        if tensor.weight is not None:
            return self._weight(tensor.weight, order)
        if tensor.order == order:
            return tensor.value
        axes = between(tensor.order, order)
        key = (id(tensor.value), axes)
        if key not in self._moved:
            if same_memory(tensor.order, order, tensor.shape):
                moved = self.view(tensor.value, stored_shape(tensor.shape, order))
            else:
                moved = self.builder.emit(self.relax.op.permute_dims(tensor.value, list(axes)))
                self._transposes.append((moved, self._described(tensor, beside)))
            self._moved[key] = moved
            self._kept.append(tensor.value)
        return self._moved[key]

    def made(self, tensor: Stored) -> int:
        """A number that is the larger the later a tensor was computed."""
        behind = self._behind.get(id(tensor.value), tensor.value)
        return self._made.get(id(behind), -1)

    def plain(self, value: Value) -> Any:
        """An expression of the value as the model has it."""
        if isinstance(value, list):
            return self.relax.Tuple([self.plain(one) for one in value])
        if isinstance(value, Opaque):
            return value.value
        return self.place(value, identity(value.rank))

    def reshaped(self, tensor: Stored, shape: Shape, order: Order) -> Stored:
        """A tensor whose memory is taken for one of another shape and order; nothing moves."""
        return replace(
            tensor,
            shape=shape,
            order=order,
            value=self.view(tensor.value, stored_shape(shape, order)),
        )

    def view(self, value: Any, shape: Shape) -> Any:
        """The same memory with other extents; a view of a view is one of what is behind it."""
        behind = self._behind.get(id(value), value)
        if extents_of(value) == shape:
            return value
        if extents_of(behind) == shape:
            return behind
        new = self.builder.emit(self.relax.op.reshape(behind, shape))
        self._behind[id(new)] = behind
        self._kept += [new, behind]
        return new

    def computed(self, tensor: Stored) -> Any:
        """What an operator has put out that a tensor is a view of, but for axes of extent 1.

        An operator on each element is done on that, so that no view comes between the two and
        they become one kernel.
        """
        behind = self._behind.get(id(tensor.value), tensor.value)
        same = [n for n in extents_of(behind) if n != 1] == [
            n for n in tensor.memory_shape if n != 1
        ]
        return behind if same else tensor.value

    def unmerged(self, tensor: Stored) -> Stored:
        """The tensor with each axis as the model has it."""
        if tensor.merged is None:
            return tensor
        axis, extents, order = tensor.merged.axis, tensor.merged.extents, tensor.merged.order
        parts = (*tensor.shape[:axis], *extents, *tensor.shape[axis + 1 :])
        inner = (*range(axis), *(axis + i for i in order))
        inner = (*inner, *range(axis + len(extents), len(parts)))
        split = self.reshaped(replace(tensor, merged=None), parts, inner)
        whole = self.place(split, identity(len(parts)))
        flat = self.view(whole, tensor.shape)
        return Stored(tensor.shape, tensor.dtype, identity(tensor.rank), flat)

    def activation(self, value: Value) -> Stored | None:
        """A tensor that each inference computes, its axes as the model has them; else nothing."""
        if not isinstance(value, Stored) or value.weight is not None:
            return None
        return self.unmerged(value)

    def as_lying(self, value: Value, order: Order) -> Stored:
        """A tensor just emitted, of which the order of axes is known now."""
        assert isinstance(value, Stored)
        places = inverse(order)
        return replace(value, order=order, shape=tuple(value.shape[p] for p in places))

    def is_input(self, tensor: Stored) -> bool:
        """Is it an input of the model, as it comes?"""
        return any(
            tensor.value is not None and tensor.value.same_as(given) for given in self._inputs
        )

    def readers(self) -> list[Any]:
        """What reads the result of the call that is rewritten: the old graph's, None its end."""
        return self._readers.get(self.variable, [])

    # --- the walk

    def _rewritten(self, binding: Any) -> Value:
        value = binding.value
        relax = self.relax
        if isinstance(value, relax.Call):
            arguments = [self._value_of(argument) for argument in value.args]
            self.variable = binding.var
            self.reader = operator_of(value)
            rule = self._rules.get(self.reader)
            done = rule(self, value, arguments) if rule else None
            if done is None:
                return self._copied(value, arguments)
            # What an operator puts out in an order of its own is not the author's doing any more.
            own = self.reader in self._settling
            return _marked(done) if _any_written(arguments) and not own else done
        return self._value_of(value)

    def _described(self, tensor: Stored, beside: Stored | None) -> str:
        """Why a tensor is transposed, and which."""
        if self.is_input(tensor):
            why = INPUT
        elif self.reader == OUTPUT:
            why = OUTPUT
        else:
            written = tensor.written or (beside is not None and beside.written)
            why = WRITTEN if written else INSIDE
        return f"{why}: {'x'.join(map(str, tensor.shape))}, for {self.reader}"

    def _copied(self, call: Any, arguments: list[Value]) -> Value:
        """The same call, on arguments as the model has them."""
        plain = [self.plain(argument) for argument in arguments]
        return self.emit(self.relax.Call(call.op, plain, call.attrs, call.ty_args))

    def _value_of(self, expression: Any) -> Value:
        relax = self.relax
        if isinstance(expression, relax.Var):
            return self._values[expression]
        if isinstance(expression, self._tvm.ir.GenericConst):
            return weight(expression.value.numpy())
        if isinstance(expression, relax.Tuple):
            return [self._value_of(field) for field in expression.fields]
        if isinstance(expression, relax.TupleGetItem):
            whole = self._value_of(expression.tuple_value)
            assert isinstance(whole, list)
            return whole[int(expression.index)]
        return Opaque(expression)  # a shape, a function, a number

    def _as_value(self, new: Any) -> Value:
        """What a variable of the new graph holds, lying as its shape says."""
        kind = new.ty
        if isinstance(kind, self.relax.TupleType):
            return [
                self._as_value(self.builder.emit(self.relax.TupleGetItem(new, i)))
                for i in range(len(kind.fields))
            ]
        if not isinstance(kind, self.relax.TensorType) or kind.shape is None:
            return Opaque(new)
        shape = tuple(int(extent) for extent in kind.shape)
        self._made[id(new)] = len(self._made)
        self._kept.append(new)
        return Stored(shape, str(kind.dtype), identity(len(shape)), new)

    def _weight(self, array: np.ndarray, order: Order) -> Any:
        """A weight as an argument of the function, or as a number within it."""
        relax = self.relax
        if array.size == 1:
            return relax.const(array.reshape(stored_shape(array.shape, order)), str(array.dtype))
        key = (array.__array_interface__["data"][0], array.strides, array.shape, order)
        if key not in self._used:
            moved = np.asarray(array.transpose(order), order="C")
            kind = relax.TensorType(moved.shape, str(moved.dtype))
            variable = relax.Var(f"w{len(self._used)}", kind)
            self._used[key] = (variable, moved)
            self._kept.append(array)
        return self._used[key][0]


def operator_of(expression: Any) -> str:
    """Name of the operator that an expression calls; empty for anything else."""
    return str(getattr(getattr(expression, "op", None), "name", ""))


def extents_of(variable: Any) -> Shape:
    """Shape of a variable of the new graph."""
    return tuple(int(extent) for extent in variable.ty.shape)


def _any_written(values: list[Value]) -> bool:
    return any(
        _any_written(value)
        if isinstance(value, list)
        else isinstance(value, Stored) and value.written
        for value in values
    )


def _marked(value: Value) -> Value:
    """The value, as one whose order is due to the model's author where it is not the model's."""
    if isinstance(value, list):
        return [_marked(one) for one in value]
    if not isinstance(value, Stored) or same_memory(value.order, identity(value.rank), value.shape):
        return value
    return replace(value, written=True)


def _count_readers(function: Any) -> dict[Any, list[Any]]:
    """What reads each variable of a function: calls, other bindings, and None for its result."""
    from tvm import relax

    found: dict[Any, list[Any]] = {}

    def visit(expression: Any, reader: Any) -> None:
        if isinstance(expression, relax.Var):
            found.setdefault(expression, []).append(reader)
        elif isinstance(expression, relax.Tuple):
            for field in expression.fields:
                visit(field, reader)
        elif isinstance(expression, relax.TupleGetItem):
            visit(expression.tuple_value, reader)

    for block in function.body.blocks:
        for binding in block.bindings:
            value = binding.value
            if isinstance(value, relax.Call):
                for argument in value.args:
                    visit(argument, value)
            else:
                visit(value, value)
    visit(function.body.body, None)
    return found
