"""Operators that work value by value, as expressions of C.

In: a `Site`. Out: `Code`. Always: an expression does the operations of `sim.host.elementwise` in their order. x and y
are the operands; {alpha} and the like are the node's attributes as C numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from math import prod

from sima_compiler.a65.lowering.site import C_TYPES, Code, Lowering, Site, broadcast_steps, real
from sima_compiler.ir.host import Dtype

_UNARY: Mapping[str, str] = {
    "Exp": "sima_exp(x)",
    "Log": "sima_log(x)",
    "Sqrt": "sima_sqrt(x)",
    "Tanh": "sima_tanh(x)",
    "Sigmoid": "sima_sigmoid(x)",
    "Erf": "sima_erf(x)",
    "Floor": "sima_floor(x)",
    "Ceil": "sima_ceil(x)",
    "Round": "sima_round(x)",
    "Reciprocal": "1.0f / x",
    "HardSwish": f"x * sima_hard_sigmoid(x, {real(1 / 6)}, 0.5f)",
    "Softplus": "sima_softplus(x)",
    "Softsign": "x / (1.0f + sima_abs(x))",
    "Mish": "x * sima_tanh(sima_softplus(x))",
    "Elu": "sima_elu(x, {alpha})",
    "Celu": "x < 0.0f ? {alpha} * (sima_exp(x / {alpha}) - 1.0f) : x",
    "Selu": "{gamma} * sima_elu(x, {alpha})",
    "LeakyRelu": "x < 0.0f ? x * {alpha} : x",
    "ThresholdedRelu": "x > {alpha} ? x : 0.0f",
    "HardSigmoid": "sima_hard_sigmoid(x, {alpha}, {beta})",
    "Not": "!x",
    "IsNaN": "x != x",
}
#: Attributes that stand in expressions, with ONNX's defaults.
_DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "Elu": {"alpha": 1.0},
    "Celu": {"alpha": 1.0},
    "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    "LeakyRelu": {"alpha": 0.01},
    "ThresholdedRelu": {"alpha": 1.0},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
}
#: Operators of numbers: for real ones, for integers. {u} is the unsigned type, in which integers wrap.
_NUMBERS: Mapping[str, tuple[str, str]] = {
    "Abs": ("sima_abs(x)", "x < 0 ? ({t})(0 - ({u})x) : x"),
    "Neg": ("-x", "({t})(0 - ({u})x)"),
    "Sign": ("x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x", "(x > 0) - (x < 0)"),
    "Relu": ("x < 0.0f ? 0.0f : x", "x < 0 ? 0 : x"),
    "Add": ("x + y", "({t})(({u})x + ({u})y)"),
    "Sum": ("x + y", ""),
    "Sub": ("x - y", "({t})(({u})x - ({u})y)"),
    "Mul": ("x * y", "({t})(({u})x * ({u})y)"),
    "Div": ("x / y", "sima_divide{bits}(x, y)"),
    "Max": ("x > y || x != x ? x : y", "x > y ? x : y"),
    "Min": ("x < y || x != x ? x : y", "x < y ? x : y"),
    "PRelu": ("x < 0.0f ? x * y : x", ""),
}
_COMPARED: Mapping[str, str] = {
    "Equal": "x == y",
    "Greater": "x > y",
    "GreaterOrEqual": "x >= y",
    "Less": "x < y",
    "LessOrEqual": "x <= y",
    "And": "x & y",
    "Or": "x | y",
    "Xor": "x ^ y",
}
_UNSIGNED = {Dtype.INT64: "uint64_t", Dtype.INT32: "uint32_t"}


def _written(expressions: tuple[str, str], dtype: Dtype) -> str:
    """The expression for a type."""
    if dtype is Dtype.FLOAT32:
        return expressions[0]
    return expressions[1].format(t=C_TYPES[dtype], u=_UNSIGNED[dtype], bits=8 * dtype.bytes)


def _suffix(site: Site, name: str, numbers: Mapping[str, str]) -> str:
    """The kernel's name; attributes other than the standard ones make it the node's own."""
    own = f"_{site.prefix}" if numbers else ""
    return f"sima_{name.lower()}_{site.value(0).dtype}{own}"


def _map(site: Site, name: str, expression: str, numbers: Mapping[str, str] | None = None) -> Code:
    """One operand, value by value."""
    source, target = C_TYPES[site.value(0).dtype], C_TYPES[site.values[0].dtype]
    text = expression.format(**numbers) if numbers else expression
    kernel = _suffix(site, name, numbers or {})
    definition = f"SIMA_UNARY({source}, {target}, {text})"
    return site.made(kernel, definition, site.operand(0), site.results[0], site.count)


def _unary(site: Site) -> Code:
    op = site.use.node.op
    numbers = {name: real(site.use.number(name, value)) for name, value in _DEFAULTS.get(op, {}).items()}
    return _map(site, op, _UNARY[op], numbers)


def _gelu(site: Site) -> Code:
    if site.use.text("approximate", "none", ("none", "tanh")) == "tanh":
        return _map(site, "Gelu_by_tanh", "sima_gelu_by_tanh(x)")
    return _map(site, "Gelu", "sima_gelu(x)")


def _number(site: Site) -> Code:
    op = site.use.node.op
    return _map(site, op, _written(_NUMBERS[op], site.value(0).dtype))


def _pair(site: Site, name: str, expression: str, step: int = 1) -> Code:
    """Two operands; a later ``step`` takes what came of the one before as the first."""
    target, grid = site.values[0].shape, f"grid{step}"
    first = site.values[0] if step > 1 else site.value(0)
    second = site.value(step)
    places = (broadcast_steps(first.shape, target), broadcast_steps(second.shape, target))
    kinds = [C_TYPES[value.dtype] for value in (first, second, site.values[0])]
    kernel = f"sima_{name.lower()}_{first.dtype}" + (f"_{second.dtype}" if second.dtype is not first.dtype else "")
    source = site.results[0] if step > 1 else site.operand(0)
    code = site.grid(grid, target, *places)
    return code + site.made(
        kernel,
        f"SIMA_BINARY({', '.join(kinds)}, {expression})",
        source,
        site.operand(step),
        site.results[0],
        site.at(grid),
    )


def _binary(site: Site) -> Code:
    op, dtype = site.use.node.op, site.value(0).dtype
    expression = _COMPARED.get(op) or _written(_NUMBERS[op], dtype)
    return _pair(site, op, expression)


def _folded(site: Site) -> Code:
    """Any number of operands, from the left."""
    op, dtype = site.use.node.op, site.value(0).dtype
    name = "Add" if op in ("Sum", "Mean") else op
    count = len(site.use.inputs)
    if count == 1:
        code = site.call("sima_copy", site.results[0], site.operand(0), site.count * dtype.bytes)
    else:
        steps = [_pair(site, name, _written(_NUMBERS[name], dtype), step) for step in range(1, count)]
        code = reduce(lambda one, other: one + other, steps)
    if op == "Mean":
        divided = f"SIMA_UNARY(float, float, x / {real(count)})"
        code += site.made(f"sima_mean_of_{count}", divided, site.results[0], site.results[0], site.count)
    return code


def _modulo(site: Site) -> Code:
    dtype = site.value(0).dtype
    if dtype is Dtype.FLOAT32:
        return _pair(site, "Remainder", "sima_remainder(x, y)")
    kind = "rest" if site.use.integer("fmod", 0) else "modulo"
    return _pair(site, kind, f"sima_{kind}64(x, y)")


def _power(site: Site) -> Code:
    return _pair(site, "Power", "sima_power(x, (float)y)")


def _where(site: Site) -> Code:
    target, dtype = site.values[0].shape, site.values[0].dtype
    places = [broadcast_steps(site.value(index).shape, target) for index in range(3)]
    pointers = [site.operand(index) for index in range(3)]
    code = site.grid("grid", target, *places)
    kernel = f"sima_where_{dtype}"
    return code + site.made(kernel, f"SIMA_WHERE({C_TYPES[dtype]})", *pointers, site.results[0], site.at("grid"))


def _clip(site: Site) -> Code:
    dtype = site.values[0].dtype
    bounds = (site.operand(1), site.operand(2))
    definition = f"SIMA_CLIP({C_TYPES[dtype]})"
    return site.made(f"sima_clip_{dtype}", definition, site.operand(0), *bounds, site.results[0], site.count)


def _cast(site: Site) -> Code:
    source, target = site.value(0).dtype, site.values[0].dtype
    if target is Dtype.BOOL:
        expression = "x != 0"
    elif source is Dtype.FLOAT32 and target is not Dtype.FLOAT32:
        expression = f"sima_to_{target}(x)"
    else:
        expression = "x"
    return _map(site, f"to_{target}", expression)


def _scaled(name: str, limits: Mapping[Dtype, str]) -> Lowering:
    """QuantizeLinear or DequantizeLinear: values in front of, along and behind the axis of the scales."""

    def lower(site: Site) -> Code:
        shape, dtype = site.value(0).shape, site.value(2).dtype
        count = prod(site.value(1).shape)
        axis = site.use.axis(site.use.integer("axis", 1), len(shape)) if count > 1 else 0
        sizes = (prod(shape[:axis]), count, prod(shape[axis + 1 :])) if count > 1 else (1, 1, prod(shape))
        definition = f"SIMA_{name.upper()}({C_TYPES[dtype]}{limits.get(dtype, '')})"
        pointers = [site.operand(index) for index in range(3)]
        return site.made(f"sima_{name}_{dtype}", definition, *pointers, site.results[0], *sizes)

    return lower


LOWERINGS: Mapping[str, Lowering] = {
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(("Abs", "Neg", "Sign", "Relu"), _number),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "PRelu"), _binary),
    **dict.fromkeys(_COMPARED, _binary),
    **dict.fromkeys(("Max", "Min", "Sum", "Mean"), _folded),
    "Gelu": _gelu,
    "Mod": _modulo,
    "Pow": _power,
    "Where": _where,
    "Clip": _clip,
    "Cast": _cast,
    "QuantizeLinear": _scaled("quantize", {Dtype.INT8: ", -128, 127", Dtype.UINT8: ", 0, 255"}),
    "DequantizeLinear": _scaled("dequantize", {}),
}
