"""Kernels that work value by value.

In: a `Use` and arrays. Out: one array. Always: each step is one rounding of float32 or wraps as integers do; what numpy
does not define (a quotient by the integer 0, a conversion out of range) is defined here as AArch64 has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from sima_compiler.ir.host import Array
from sima_compiler.ir.host_rules.elementwise import ONNX_TYPES
from sima_compiler.ir.host_rules.use import Use
from sima_compiler.sim.host import functions
from sima_compiler.sim.host.kernel import Kernel, Operands, present

_F = np.float32


def unary(function: Callable[[Use, Any], Any]) -> Kernel:
    """A kernel of one operand; the function sees it flat."""

    def kernel(use: Use, operands: Operands) -> Array:
        value = present(operands, 0)
        return np.asarray(function(use, value.reshape(-1))).reshape(value.shape)

    return kernel


def folded(function: Callable[[Any, Any], Any]) -> Kernel:
    """A kernel of one or more operands, from the left."""

    def kernel(_use: Use, operands: Operands) -> Array:
        return _fold(function, operands)

    return kernel


def _fold(function: Callable[[Any, Any], Any], operands: Operands) -> Array:
    values = np.broadcast_arrays(*(present(operands, index) for index in range(len(operands))))
    flat = [np.ascontiguousarray(value).reshape(-1) for value in values]
    return np.asarray(reduce(function, flat)).reshape(values[0].shape)


def _alpha(use: Use, default: float) -> np.float32:
    return _F(use.number("alpha", default))


def _hard_sigmoid(alpha: np.float32, beta: np.float32, x: Any) -> Any:
    line = alpha * x + beta
    return np.where(line < _F(0), _F(0), np.where(line > _F(1), _F(1), line))


def _elu(x: Any, alpha: np.float32) -> Any:
    return np.where(x < _F(0), alpha * (functions.exp(x) - _F(1)), x)


def _celu(use: Use, x: Any) -> Any:
    alpha = _alpha(use, 1.0)
    return np.where(x < _F(0), alpha * (functions.exp(x / alpha) - _F(1)), x)


def _selu(use: Use, x: Any) -> Any:
    alpha, gamma = _alpha(use, 1.67326319217681884765625), _F(use.number("gamma", 1.05070102214813232421875))
    return gamma * _elu(x, alpha)


def _gelu(use: Use, x: Any) -> Any:
    if use.text("approximate", "none", ("none", "tanh")) == "tanh":
        inner = (x + ((x * x) * x) * _F(0.044715)) * _F(0.7978846)
        return (x * _F(0.5)) * (functions.tanh(inner) + _F(1))
    return (x * _F(0.5)) * (functions.erf(x * _F(0.70710677)) + _F(1))


def _sign(x: Any) -> Any:
    """A NaN and -0 stay what they are."""
    one = x.dtype.type(1)
    return np.where(x > x.dtype.type(0), one, np.where(x < x.dtype.type(0), -one, x))


def _divide(x: Any, y: Any) -> Any:
    """Integers: towards 0; by 0 it is 0, and the least number by -1 wraps."""
    if x.dtype == np.float32:
        return x / y
    safe = np.where((y == 0) | (y == -1), x.dtype.type(1), y)
    quotient = x // safe
    quotient = quotient + ((quotient < 0) & (quotient * safe != x))
    return np.where(y == 0, x.dtype.type(0), np.where(y == -1, -x, quotient)).astype(x.dtype)


def _modulo(use: Use, operands: Operands) -> Array:
    x, y = np.broadcast_arrays(present(operands, 0), present(operands, 1))
    if use.integer("fmod", 0):
        return np.fmod(x, y) if x.dtype == np.float32 else x - _divide(x, y) * y
    rest = x - _divide(x, y) * y
    return np.where((rest != 0) & ((rest < 0) != (y < 0)), rest + y, rest).astype(x.dtype)


def _larger(x: Any, y: Any) -> Any:
    return np.where((x > y) | (np.isnan(x)), x, y)


def _smaller(x: Any, y: Any) -> Any:
    return np.where((x < y) | (np.isnan(x)), x, y)


def _mean(_use: Use, operands: Operands) -> Array:
    return np.asarray(_fold(lambda x, y: x + y, operands) / _F(len(operands)))


def _prelu(_use: Use, operands: Operands) -> Array:
    return _fold(lambda x, slope: np.where(x < _F(0), x * slope, x), operands)


def _where(_use: Use, operands: Operands) -> Array:
    return np.where(present(operands, 0), present(operands, 1), present(operands, 2))


def _clip(use: Use, operands: Operands) -> Array:
    """The upper bound last, so that it wins."""
    value = present(operands, 0)
    low, high = (operands[index] if use.has(index) else None for index in (1, 2))
    if low is not None:
        value = np.where(value < low.reshape(()), low.reshape(()), value)
    if high is not None:
        value = np.where(value > high.reshape(()), high.reshape(()), value)
    return np.asarray(value)


def _power(_use: Use, operands: Operands) -> Array:
    x, y = present(operands, 0), present(operands, 1).astype(np.float32)
    return _fold(functions.power, (x, y))


def _cast(use: Use, x: Any) -> Any:
    target = ONNX_TYPES[use.integer("to", 0)].numpy
    if x.dtype != np.float32 or target in (np.dtype(np.float32), np.dtype(np.bool_)):
        return x.astype(target)
    limits = np.iinfo(target)
    held = np.where(np.isnan(x), 0.0, np.trunc(x).astype(np.float64))
    low, high = held <= float(limits.min), held >= float(limits.max)
    plain = np.where(low | high, 0.0, held).astype(np.int64)
    return np.where(low, limits.min, np.where(high, limits.max, plain)).astype(target)


def _along_axis(use: Use, scale: Array, value: Array) -> Any:
    """A scale or a zero point in the shape that meets the value's."""
    if scale.size == 1:
        return scale.reshape(())
    axis = use.axis(use.integer("axis", 1), value.ndim)
    return scale.reshape([-1 if place == axis else 1 for place in range(value.ndim)])


def _quantize(use: Use, operands: Operands) -> Array:
    value, scale, zero = (present(operands, index) for index in range(3))
    steps = value / _along_axis(use, scale, value)
    held = np.where(
        np.isnan(steps), _F(0), np.where(steps > _F(1000), _F(1000), np.where(steps < _F(-1000), _F(-1000), steps))
    )
    limits = np.iinfo(zero.dtype)
    whole = np.rint(held).astype(np.int32) + _along_axis(use, zero, value).astype(np.int32)
    return np.clip(whole, limits.min, limits.max).astype(zero.dtype)


def _dequantize(use: Use, operands: Operands) -> Array:
    value, scale, zero = (present(operands, index) for index in range(3))
    steps = value.astype(np.int32) - _along_axis(use, zero, value).astype(np.int32)
    return steps.astype(np.float32) * _along_axis(use, scale, value)


_FUNCTIONS: Mapping[str, Callable[[Use, Any], Any]] = {
    "Exp": lambda _, x: functions.exp(x),
    "Log": lambda _, x: functions.log(x),
    "Sqrt": lambda _, x: np.sqrt(x),
    "Tanh": lambda _, x: functions.tanh(x),
    "Sigmoid": lambda _, x: functions.sigmoid(x),
    "Erf": lambda _, x: functions.erf(x),
    "Floor": lambda _, x: np.floor(x),
    "Ceil": lambda _, x: np.ceil(x),
    "Round": lambda _, x: np.rint(x),
    "Reciprocal": lambda _, x: _F(1) / x,
    "HardSwish": lambda _, x: x * _hard_sigmoid(_F(1 / 6), _F(0.5), x),
    "Softplus": lambda _, x: functions.log1p_of_exp(x),
    "Softsign": lambda _, x: x / (_F(1) + np.abs(x)),
    "Mish": lambda _, x: x * functions.tanh(functions.log1p_of_exp(x)),
    "Abs": lambda _, x: np.abs(x),
    "Neg": lambda _, x: -x,
    "Sign": lambda _, x: _sign(x),
    "Relu": lambda _, x: np.where(x < x.dtype.type(0), x.dtype.type(0), x),
    "Elu": lambda use, x: _elu(x, _alpha(use, 1.0)),
    "Celu": _celu,
    "Selu": _selu,
    "LeakyRelu": lambda use, x: np.where(x < _F(0), x * _alpha(use, 0.01), x),
    "ThresholdedRelu": lambda use, x: np.where(x > _alpha(use, 1.0), x, _F(0)),
    "HardSigmoid": lambda use, x: _hard_sigmoid(_alpha(use, 0.2), _F(use.number("beta", 0.5)), x),
    "Gelu": _gelu,
    "Not": lambda _, x: ~x,
    "IsNaN": lambda _, x: np.isnan(x),
    "Cast": _cast,
}

KERNELS: Mapping[str, Kernel] = {
    **{op: unary(function) for op, function in _FUNCTIONS.items()},
    "Add": folded(lambda x, y: x + y),
    "Sub": folded(lambda x, y: x - y),
    "Mul": folded(lambda x, y: x * y),
    "Div": folded(_divide),
    "Equal": folded(lambda x, y: x == y),
    "Greater": folded(lambda x, y: x > y),
    "GreaterOrEqual": folded(lambda x, y: x >= y),
    "Less": folded(lambda x, y: x < y),
    "LessOrEqual": folded(lambda x, y: x <= y),
    "And": folded(lambda x, y: x & y),
    "Or": folded(lambda x, y: x | y),
    "Xor": folded(lambda x, y: x ^ y),
    "Max": folded(_larger),
    "Min": folded(_smaller),
    "Sum": folded(lambda x, y: x + y),
    "Mean": _mean,
    "Mod": _modulo,
    "Pow": _power,
    "PRelu": _prelu,
    "Where": _where,
    "Clip": _clip,
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
}
