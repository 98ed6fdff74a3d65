"""Functions of float32 without any library: every operation is one IEEE 754 addition, product, quotient or root.

In: float32 arrays. Out: float32 arrays. Always: the same bits on every machine and in `a65/kernels/functions.h`,
which does the same operations in the same order (of a NaN only that it is one).

Coefficients are `ir.host_rules.coefficients`; `docs/host-kernels.md` has the errors. `power` works in float64, since
a float32 logarithm times a large exponent has lost the digits of its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.host_rules.coefficients import ERF, ERF_FAR, EXP, LOG, TANH

Reals = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

#: ln 2 as a number of few digits, whose products with small integers are exact, and the rest.
_LN2_HIGH, _LN2_LOW = 0.693359375, -0.00021219444170128554
_LOG2_E = 1.4426950216293335
#: Adding and subtracting it leaves the nearest integer, ties to even, of what is smaller than 2 ** 22.
_ROUNDER = 12582912.0


def _f(value: float) -> np.float32:
    return np.float32(value)


def _polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """Horner's order, from the highest power down."""
    result = _f(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        result = result * x + _f(coefficient)
    return result


def _from_bits(bits: npt.NDArray[np.int32]) -> Reals:
    return bits.view(np.float32)


def _power_of_two(exponent: npt.NDArray[np.int32]) -> Reals:
    """2 ** exponent for -126..127."""
    return _from_bits(((exponent + np.int32(127)) << np.int32(23)).astype(np.int32))


def exp(x: Reals) -> Reals:
    """E ** x: x = n ln 2 + r, a polynomial of r, then twice a power of two, so that no step overflows too early."""
    x = np.asarray(x, np.float32)
    is_nan = np.isnan(x)
    held = np.where(is_nan, _f(0), np.where(x > _f(89), _f(89), np.where(x < _f(-104), _f(-104), x)))
    turns = (held * _f(_LOG2_E) + _f(_ROUNDER)) - _f(_ROUNDER)
    rest = (held - turns * _f(_LN2_HIGH)) - turns * _f(_LN2_LOW)
    value = (_polynomial(rest, EXP) * (rest * rest) + rest) + _f(1)
    whole = turns.astype(np.int32)
    half = whole >> 1
    return np.where(is_nan, x, (value * _power_of_two(half)) * _power_of_two(whole - half))


def log(x: Reals) -> Reals:
    """The natural logarithm: x = m 2 ** e with m from 0.7071 to 1.4142, a polynomial of m - 1, then e ln 2."""
    x = np.asarray(x, np.float32)
    is_plain = (x > _f(0)) & (x < _f(np.inf))
    safe = np.where(is_plain, x, _f(1))
    is_tiny = safe < _f(2.0**-126)
    bits = np.ascontiguousarray(np.where(is_tiny, safe * _f(2.0**23), safe)).view(np.int32)
    exponent = (bits >> 23) - np.where(is_tiny, np.int32(150), np.int32(127))
    mantissa = _from_bits((bits & np.int32(0x7FFFFF)) | np.int32(0x3F800000))
    is_large = mantissa > _f(1.4142135)
    mantissa = np.where(is_large, mantissa * _f(0.5), mantissa)
    turns = (exponent + is_large.astype(np.int32)).astype(np.float32)
    rest = mantissa - _f(1)
    square = rest * rest
    tail = ((_polynomial(rest, LOG) * rest) * square + turns * _f(_LN2_LOW)) - _f(0.5) * square
    value = (rest + tail) + turns * _f(_LN2_HIGH)
    special = np.where(x == _f(0), _f(-np.inf), np.where(x > _f(0), x, _f(np.nan)))
    return np.where(is_plain, value, special)


def log1p_of_exp(x: Reals) -> Reals:
    """Log(1 + e ** x), which is Softplus: the larger of x and 0, and the rest corrected for what 1 + u lost of u."""
    x = np.asarray(x, np.float32)
    small = exp(-np.abs(x))
    whole = _f(1) + small
    lost = whole - _f(1)
    rest = np.where(lost == _f(0), small, log(whole) * (small / np.where(lost == _f(0), _f(1), lost)))
    return np.where(x > _f(0), x, _f(0)) + rest


def tanh(x: Reals) -> Reals:
    """A polynomial near 0, else 1 - 2 / (e ** 2x + 1)."""
    x = np.asarray(x, np.float32)
    size = np.abs(x)
    square = x * x
    near = np.copysign((_polynomial(square, TANH) * square) * x + x, x)
    far = _f(1) - _f(2) / (exp(size + size) + _f(1))
    return np.where(size < _f(0.625), near, np.where(x < _f(0), -far, far))


def erf(x: Reals) -> Reals:
    """A polynomial up to 1, else 1 - e ** (a polynomial), and 1 from 4 on."""
    x = np.asarray(x, np.float32)
    size = np.abs(x)
    near = _polynomial(x * x, ERF) * x + x
    held = np.where(size > _f(4), _f(4), size)
    far = _f(1) - exp(_polynomial(held, ERF_FAR))
    return np.where(size < _f(1), near, np.where(x < _f(0), -far, far))


def sigmoid(x: Reals) -> Reals:
    """1 / (1 + e ** -x)."""
    return _f(1) / (_f(1) + exp(-np.asarray(x, np.float32)))


def floor(x: Reals) -> Reals:
    """The largest integer that is not larger; -0 stays."""
    return np.floor(x)


def power(x: Reals, y: Reals) -> Reals:
    """X ** y with the special values of IEEE 754's pow, by a logarithm and an exponential in float64."""
    x, y = np.broadcast_arrays(np.asarray(x, np.float32), np.asarray(y, np.float32))
    size = np.abs(x)
    is_plain = (size > _f(0)) & (size < _f(np.inf)) & (np.abs(y) < _f(np.inf))
    exponent = _log64(np.where(is_plain, size, _f(1)).astype(np.float64)) * np.where(is_plain, y, _f(0)).astype(
        np.float64
    )
    grows = (size > _f(1)) == (y > _f(0))
    edge = np.where(size == _f(1), _f(1), np.where(grows, _f(np.inf), _f(0)))
    value = np.where(is_plain, _exp64(exponent).astype(np.float32), edge)
    whole = _is_whole(y)
    is_odd = whole & ~_is_whole(y * _f(0.5))
    is_negative = np.signbit(x)
    value = np.where(is_negative & is_odd, -value, value)
    value = np.where((x < _f(0)) & (size < _f(np.inf)) & ~whole, _f(np.nan), value)
    value = np.where((np.isnan(x)) | (np.isnan(y)), _f(np.nan), value)
    return np.where((x == _f(1)) | (y == _f(0)), _f(1), value)


def _is_whole(x: Reals) -> npt.NDArray[np.bool_]:
    """Whether a number is an integer; infinity is one, and even."""
    return np.floor(x) == x


#: 1/3, 1/5, ... of the area tangent; 1/2!, 1/3!, ... of the exponential.
_LOG64 = tuple(1.0 / odd for odd in range(3, 17, 2))
_EXP64 = (
    *(0.5, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320, 1 / 362880, 1 / 3628800),
    1 / 39916800,
)


def _polynomial64(x: Doubles, coefficients: Sequence[float]) -> Doubles:
    result: Any = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        result = result * x + coefficient
    return result


def _log64(x: Doubles) -> Doubles:
    """Of normal numbers: 2 artanh((m - 1) / (m + 1)) + e ln 2."""
    bits = np.ascontiguousarray(x).view(np.int64)
    exponent = (bits >> 52) - 1023
    mantissa = ((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000).view(np.float64)
    is_large = mantissa > 1.4142135623730951
    mantissa = np.where(is_large, mantissa * 0.5, mantissa)
    turns = (exponent + is_large).astype(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square = s * s
    return ((_polynomial64(square, _LOG64) * square) * s + s) * 2.0 + turns * 0.6931471805599453


def _exp64(x: Doubles) -> Doubles:
    """Of anything but NaN; beyond float32's range it is held where float32 is 0 or infinite."""
    held = np.where(x > 100.0, 100.0, np.where(x < -120.0, -120.0, x))
    turns = (held * 1.4426950408889634 + 6755399441055744.0) - 6755399441055744.0
    rest = (held - turns * 0.6931471803691238) - turns * 1.9082149292705877e-10
    value = (_polynomial64(rest, _EXP64) * (rest * rest) + rest) + 1.0
    return value * ((turns.astype(np.int64) + 1023) << 52).view(np.float64)
