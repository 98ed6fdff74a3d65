"""Rules of the operators that work value by value, with broadcasting.

In: a `Use`. Out: shape and type of the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sima_compiler.ir.host import Dtype
from sima_compiler.ir.host_rules.use import ANY, BOOLS, BYTES, FLOATS, NUMBERS, Infer, Use, Value

#: Types by the number of ONNX's TensorProto.DataType, as Cast has them.
ONNX_TYPES: Mapping[int, Dtype] = {
    1: Dtype.FLOAT32,
    2: Dtype.UINT8,
    3: Dtype.INT8,
    6: Dtype.INT32,
    7: Dtype.INT64,
    9: Dtype.BOOL,
}


def _unary(dtypes: Iterable[Dtype], *numbers: str, result: Dtype | None = None) -> Infer:
    """One operand of these types; the attributes are real numbers."""

    def infer(use: Use) -> tuple[Value, ...]:
        use.arity(1)
        use.knows(*numbers)
        for name in numbers:
            use.number(name, 0.0)
        value = use.value(0, dtypes)
        return (Value(value.shape, result or value.dtype),)

    return infer


def _gelu(use: Use) -> tuple[Value, ...]:
    use.arity(1)
    use.knows("approximate")
    use.text("approximate", "none", ("none", "tanh"))
    return (Value(use.value(0, FLOATS).shape, Dtype.FLOAT32),)


def _binary(dtypes: Iterable[Dtype], result: Dtype | None = None) -> Infer:
    """Two operands of one type."""

    def infer(use: Use) -> tuple[Value, ...]:
        use.arity(2)
        use.knows()
        return (_together(use, dtypes, result),)

    return infer


def _any_number(dtypes: Iterable[Dtype]) -> Infer:
    """One or more operands of one type."""

    def infer(use: Use) -> tuple[Value, ...]:
        use.arity(1, max(1, len(use.inputs)))
        use.knows()
        return (_together(use, dtypes, None),)

    return infer


def _together(use: Use, dtypes: Iterable[Dtype], result: Dtype | None, first: int = 0) -> Value:
    values = [use.value(index, dtypes) for index in range(first, len(use.inputs))]
    kinds = {value.dtype for value in values}
    use.require(len(kinds) == 1, f"operands of the types {', '.join(sorted(kinds))}, where one type is taken")
    return Value(use.broadcast(value.shape for value in values), result or values[0].dtype)


def _mod(use: Use) -> tuple[Value, ...]:
    use.arity(2)
    use.knows("fmod")
    result = _together(use, NUMBERS, None)
    is_real = result.dtype is Dtype.FLOAT32
    use.require(not is_real or use.integer("fmod", 0) == 1, "a remainder of real numbers needs fmod=1")
    return (result,)


def _pow(use: Use) -> tuple[Value, ...]:
    use.arity(2)
    use.knows()
    base, exponent = use.value(0, FLOATS), use.value(1, NUMBERS)
    return (Value(use.broadcast((base.shape, exponent.shape)), Dtype.FLOAT32),)


def _where(use: Use) -> tuple[Value, ...]:
    use.arity(3)
    use.knows()
    chosen = _together(use, ANY - BOOLS, None, first=1)
    return (Value(use.broadcast((use.value(0, BOOLS).shape, chosen.shape)), chosen.dtype),)


def _clip(use: Use) -> tuple[Value, ...]:
    use.arity(1, 3)
    use.knows()
    value = use.value(0, NUMBERS | BYTES)
    for index in (1, 2):
        if use.has(index):
            bound = use.value(index, {value.dtype})
            use.require(bound.shape in ((), (1,)), f"a bound of the shape {bound.shape}, where one number is taken")
    return (Value(value.shape, value.dtype),)


def _prelu(use: Use) -> tuple[Value, ...]:
    use.arity(2)
    use.knows()
    value, slope = use.value(0, FLOATS), use.value(1, FLOATS)
    shape = use.broadcast((value.shape, slope.shape))
    use.require(shape == value.shape, f"slopes of the shape {slope.shape} spread an operand of {value.shape}")
    return (Value(shape, Dtype.FLOAT32),)


def _cast(use: Use) -> tuple[Value, ...]:
    use.arity(1)
    use.knows("to", "saturate")
    number = use.integer("to", 0)
    use.require(number in ONNX_TYPES, f"to={number} is none of {', '.join(map(str, ONNX_TYPES))}")
    return (Value(use.value(0).shape, ONNX_TYPES[number]),)


def _quantization(real: int) -> Infer:
    """QuantizeLinear (``real`` 0) or DequantizeLinear (1): one scale, or one for each place along an axis."""

    def infer(use: Use) -> tuple[Value, ...]:
        use.arity(3)
        use.knows("axis", "saturate", "block_size", "output_dtype")
        use.require(use.integer("block_size", 0) == 0, "scales in blocks are not taken")
        value, scale = use.value(0, BYTES if real else FLOATS), use.value(1, FLOATS)
        zero = use.value(2, BYTES)
        use.require(scale.shape == zero.shape, f"scales {scale.shape} and zero points {zero.shape} differ in shape")
        use.require(not real or zero.dtype is value.dtype, f"a zero point of {zero.dtype} for {value.dtype}")
        if scale.shape not in ((), (1,)):
            axis = use.axis(use.integer("axis", 1), value.rank)
            use.require(
                scale.shape == (value.shape[axis],), f"scales {scale.shape} along an axis of {value.shape[axis]}"
            )
        return (Value(value.shape, Dtype.FLOAT32 if real else zero.dtype),)

    return infer


_FUNCTIONS = (
    *("Exp", "Log", "Sqrt", "Tanh", "Sigmoid", "Erf", "Floor", "Ceil", "Round", "Reciprocal", "HardSwish", "Softplus"),
    *("Softsign", "Mish"),
)
_COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")

RULES: Mapping[str, Infer] = {
    **{op: _unary(FLOATS) for op in _FUNCTIONS},
    **{op: _unary(NUMBERS) for op in ("Abs", "Neg", "Sign")},
    "Relu": _unary(FLOATS | {Dtype.INT32}),
    **{op: _unary(FLOATS, "alpha") for op in ("Elu", "Celu", "LeakyRelu", "ThresholdedRelu")},
    "HardSigmoid": _unary(FLOATS, "alpha", "beta"),
    "Selu": _unary(FLOATS, "alpha", "gamma"),
    "Gelu": _gelu,
    "Not": _unary(BOOLS),
    "IsNaN": _unary(FLOATS, result=Dtype.BOOL),
    **{op: _binary(NUMBERS) for op in ("Add", "Sub", "Mul", "Div")},
    **{op: _binary(NUMBERS | BYTES, Dtype.BOOL) for op in _COMPARISONS},
    "Equal": _binary(ANY, Dtype.BOOL),
    **{op: _binary(BOOLS) for op in ("And", "Or", "Xor")},
    **{op: _any_number(NUMBERS) for op in ("Max", "Min")},
    **{op: _any_number(FLOATS) for op in ("Sum", "Mean")},
    "Mod": _mod,
    "Pow": _pow,
    "PRelu": _prelu,
    "Where": _where,
    "Clip": _clip,
    "Cast": _cast,
    "QuantizeLinear": _quantization(0),
    "DequantizeLinear": _quantization(1),
}
