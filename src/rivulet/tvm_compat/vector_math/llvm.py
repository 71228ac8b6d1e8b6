"""LLVM functions over float32 lanes, written as Python expressions."""

# ruff: noqa: D105  (the operators mean what they always mean)

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

FLOAT, INT, BOOL = "float", "i32", "i1"
_OPCODES = {
    "+": {FLOAT: "fadd", INT: "add"},
    "-": {FLOAT: "fsub", INT: "sub"},
    "*": {FLOAT: "fmul"},
    "/": {FLOAT: "fdiv"},
    "<<": {INT: "shl"},
    ">>": {INT: "ashr"},
    # Ordered comparisons: with NaN each is false.
    ">": {FLOAT: "fcmp ogt"},
    "<": {FLOAT: "fcmp olt"},
    "==": {FLOAT: "fcmp oeq"},
}


@dataclass(frozen=True)
class Value:
    """A result in each lane; arithmetic on it adds instructions to its function.

    Attributes:
        function: Where it is computed.
        name: Its name there.
        kind: Type of one lane.
    """

    function: Function
    name: str
    kind: str

    def __add__(self, other: Operand) -> Value:
        return self.function.binary("+", self, other)

    def __sub__(self, other: Operand) -> Value:
        return self.function.binary("-", self, other)

    def __mul__(self, other: Operand) -> Value:
        return self.function.binary("*", self, other)

    def __truediv__(self, other: Operand) -> Value:
        return self.function.binary("/", self, other)

    def __lshift__(self, other: Operand) -> Value:
        return self.function.binary("<<", self, other)

    def __rshift__(self, other: Operand) -> Value:
        return self.function.binary(">>", self, other)

    def __gt__(self, other: Operand) -> Value:
        return self.function.binary(">", self, other)

    def __lt__(self, other: Operand) -> Value:
        return self.function.binary("<", self, other)

    def equals(self, other: Operand) -> Value:
        """Are both the same?"""
        return self.function.binary("==", self, other)


Operand = Value | float


class Function:
    """An LLVM function of one argument that is being written.

    Args:
        name: Its name.
        lanes: Numbers per vector; 1 for a scalar.
    """

    def __init__(self, name: str, lanes: int) -> None:
        self._name, self._lanes = name, lanes
        self._lines: list[str] = []
        self._declarations: set[str] = set()

    def text(self, body: Callable[[Function, Value], Value]) -> str:
        """The function in LLVM's language, with the declarations that it needs.

        It is inlined wherever it is called, and may be there in several modules that are linked.
        """
        result = body(self, Value(self, "%x", FLOAT))
        vector = self._type(FLOAT)
        head = f"define linkonce_odr {vector} @{self._name}({vector} %x) alwaysinline nounwind {{"
        last = f"  ret {vector} {result.name}"
        return "\n".join([*sorted(self._declarations), head, *self._lines, last, "}", ""])

    def constant(self, value: float) -> Value:
        """A float32 that is the same in each lane."""
        return Value(self, self._operand(value, FLOAT), FLOAT)

    def binary(self, operator: str, left: Value, right: Operand) -> Value:
        """One instruction with two operands of the same type."""
        opcode = _OPCODES[operator][left.kind]
        kind = BOOL if opcode.startswith("fcmp") else left.kind
        operands = f"{self._type(left.kind)} {left.name}, {self._operand(right, left.kind)}"
        return self._emit(f"{opcode} {operands}", kind)

    def select(self, condition: Value, true: Operand, false: Operand) -> Value:
        """Lane by lane one of two float32."""
        choices = ", ".join(f"{self._type(FLOAT)} {self._operand(v, FLOAT)}" for v in (true, false))
        return self._emit(f"select {self._type(BOOL)} {condition.name}, {choices}", FLOAT)

    def at_most(self, value: Value, bound: float) -> Value:
        """The smaller of both; NaN stays NaN, which a plain minimum does not promise."""
        return self.select(value > bound, bound, value)

    def at_least(self, value: Value, bound: float) -> Value:
        """The larger of both; NaN stays NaN."""
        return self.select(value < bound, bound, value)

    def bits(self, value: Value) -> Value:
        """The int32 with the bits of a float32."""
        return self._convert("bitcast", value, INT)

    def from_bits(self, value: Value) -> Value:
        """The float32 with the bits of an int32."""
        return self._convert("bitcast", value, FLOAT)

    def to_float(self, value: Value) -> Value:
        """The float32 next to an int32."""
        return self._convert("sitofp", value, FLOAT)

    def fused(self, a: Operand, b: Operand, c: Operand) -> Value:
        """a b + c, as one instruction and rounded once where the CPU can."""
        return self._intrinsic("fmuladd", a, b, c)

    def sqrt(self, value: Value) -> Value:
        """Square root."""
        return self._intrinsic("sqrt", value)

    def magnitude(self, value: Value) -> Value:
        """Absolute value."""
        return self._intrinsic("fabs", value)

    def with_sign_of(self, value: Value, other: Value) -> Value:
        """A value with the sign of another, also of its zero."""
        return self._intrinsic("copysign", value, other)

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Horner's scheme; the constant comes first, and there are at least two."""
        *lower, last, highest = coefficients
        value = self.fused(x, highest, last)
        for coefficient in reversed(lower):
            value = self.fused(value, x, coefficient)
        return value

    def _intrinsic(self, name: str, *operands: Operand) -> Value:
        vector = self._type(FLOAT)
        full = f"@llvm.{name}.{f'v{self._lanes}' if self._lanes > 1 else ''}f32"
        self._declarations.add(f"declare {vector} {full}({', '.join([vector] * len(operands))})")
        given = ", ".join(f"{vector} {self._operand(v, FLOAT)}" for v in operands)
        return self._emit(f"call {vector} {full}({given})", FLOAT)

    def _convert(self, opcode: str, value: Value, kind: str) -> Value:
        types = f"{self._type(value.kind)} {value.name} to {self._type(kind)}"
        return self._emit(f"{opcode} {types}", kind)

    def _emit(self, instruction: str, kind: str) -> Value:
        name = f"%v{len(self._lines)}"
        self._lines.append(f"  {name} = {instruction}")
        return Value(self, name, kind)

    def _type(self, kind: str) -> str:
        return f"<{self._lanes} x {kind}>" if self._lanes > 1 else kind

    def _operand(self, value: Operand, kind: str) -> str:
        if isinstance(value, Value):
            return value.name
        constant = _float32(value) if kind == FLOAT else str(int(value))
        if self._lanes == 1:
            return constant
        return f"<{', '.join([f'{kind} {constant}'] * self._lanes)}>"


def _float32(value: float) -> str:
    """A float32 as LLVM writes it: the bits of the double of the same value."""
    (single,) = struct.unpack("f", struct.pack("f", value))
    return f"0x{struct.unpack('Q', struct.pack('d', single))[0]:016X}"
