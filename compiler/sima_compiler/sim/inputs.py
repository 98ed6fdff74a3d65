"""Arrays that a network is given, checked against what it takes.

In: ports and arrays by name. Out: the arrays in the ports' types. Always: what does not fit is an error that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from sima_compiler.errors import InputError
from sima_compiler.ir.host import Array, Dtype
from sima_compiler.ir.network import Port


def checked_inputs(ports: Iterable[Port], inputs: Mapping[str, npt.ArrayLike]) -> dict[str, Array]:
    """The inputs, those that the file has as integers as such; all share one batch of at least 1.

    Raises:
        InputError: an input is missing, unknown, not float, not finite, or of another shape.
    """
    ports = tuple(ports)
    _check_names(ports, inputs)
    arrays = {port.name: _checked(port, inputs[port.name]) for port in ports}
    if len({len(array) for array in arrays.values()}) > 1:
        found = ", ".join(f"{name}: {len(array)}" for name, array in arrays.items())
        raise InputError(f"the inputs' leading dimensions differ ({found})", hint="every input needs the same batch")
    return arrays


def _check_names(ports: Iterable[Port], inputs: Mapping[str, npt.ArrayLike]) -> None:
    names = [port.name for port in ports]
    missing = [name for name in names if name not in inputs]
    unknown = [str(name) for name in inputs if name not in names]
    if missing or unknown:
        parts = [f"missing {', '.join(missing)}"] if missing else []
        parts += [f"unknown {', '.join(unknown)}"] if unknown else []
        raise InputError(f"input names: {'; '.join(parts)}", hint=f"this model takes {', '.join(names)}")


def _checked(port: Port, value: npt.ArrayLike) -> Array:
    array = np.asarray(value)
    wanted = "float32" if port.dtype is Dtype.FLOAT32 else f"float32 or {port.dtype}"
    if array.dtype.kind != "f" and array.dtype != port.dtype.numpy:
        raise InputError(
            f"input {port.name}: expected {wanted}, found {array.dtype}", hint="pass real values as float32"
        )
    if array.shape[1:] != port.shape or not array.shape or array.shape[0] < 1:
        expected = ", ".join(map(str, ("batch", *port.shape)))
        raise InputError(
            f"input {port.name}: expected shape ({expected}), found {array.shape}",
            hint="the leading dimension is the batch, at least 1; the others are the source model's",
        )
    if not np.isfinite(array).all():
        raise InputError(f"input {port.name}: holds NaN or infinity", hint="pass finite real values")
    return array.astype(np.float32 if port.dtype is Dtype.FLOAT32 else port.dtype.numpy, copy=False)
