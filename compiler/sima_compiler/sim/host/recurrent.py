"""LSTM and GRU.

In: a `Use` and arrays as ONNX orders them. Out: all states, then the last ones. Always: a gate is a sum in float64 (the
biases, products with the input, then with the state) rounded once; what follows is float32 step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.host import Array
from sima_compiler.ir.host_rules.use import Use
from sima_compiler.sim.host.functions import sigmoid, tanh
from sima_compiler.sim.host.kernel import Kernel, Operands, optional, present
from sima_compiler.sim.host.products import contracted

_F = np.float32


def _flat(function: Callable[[Array], Array], values: Array) -> Array:
    return function(np.ascontiguousarray(values).reshape(-1)).reshape(values.shape)


def _order(use: Use, direction: int, steps: int, length: int) -> range:
    """The steps of one sample in the order of a direction."""
    is_reverse = direction == 1 or use.node.attributes.get("direction") == "reverse"
    return range(length - 1, -1, -1) if is_reverse else range(min(length, steps))


def _states(operands: Operands, index: int, shape: tuple[int, ...]) -> Array:
    found = optional(operands, index)
    return np.zeros(shape, np.float32) if found is None else found.copy()


#: One step of one direction: input, state and cell to state and cell.
Step = Callable[[Use, Array, Array, Array, "_Parts"], tuple[Array, Array]]


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """Parameters of one direction; ``biases`` are those of the input and those of the state."""

    weights: Array
    recurrence: Array
    biases: Array
    peepholes: Array | None


def _recurrent(step: Step, has_cell: bool) -> Kernel:
    """Runs ``step`` sample by sample where lengths differ, all samples at once where they do not."""

    def kernel(use: Use, operands: Operands) -> tuple[Array, ...]:
        value, weights, recurrence = (present(operands, index) for index in range(3))
        steps, batch, _ = value.shape
        count, hidden = weights.shape[0], use.integer("hidden_size", 0)
        result = np.zeros((steps, count, batch, hidden), np.float32)
        state, cell = (_states(operands, index, (count, batch, hidden)) for index in (5, 6))
        lengths = use.integers(4) or (steps,) * batch
        bias = optional(operands, 3)
        biases = np.zeros((count, 2, weights.shape[1]), np.float32) if bias is None else bias.reshape(count, 2, -1)
        for direction in range(count):
            parts = _Parts(
                weights[direction], recurrence[direction], biases[direction], _peepholes(operands, direction)
            )
            for length in sorted(set(lengths)):
                rows = [place for place, other in enumerate(lengths) if other == length]
                now, memory = state[direction, rows], cell[direction, rows]
                for place in _order(use, direction, steps, length):
                    now, memory = step(use, value[place, rows], now, memory, parts)
                    result[place, direction, rows] = now
                state[direction, rows], cell[direction, rows] = now, memory
        return (result, state, cell) if has_cell else (result, state)

    return kernel


def _peepholes(operands: Operands, direction: int) -> npt.NDArray[np.float32] | None:
    found = optional(operands, 7)
    return None if found is None else found[direction].reshape(3, -1)


def _lstm(_use: Use, x: Array, state: Array, cell: Array, parts: _Parts) -> tuple[Array, Array]:
    """Gates in ONNX's order: input, output, forget, cell."""
    weights, recurrence, biases, peepholes = parts.weights, parts.recurrence, parts.biases, parts.peepholes
    start = biases[0].astype(np.float64) + biases[1]
    sums = contracted(state, recurrence.T, contracted(x, weights.T, start)).astype(np.float32)
    entry, out, forget, new = np.split(sums, 4, axis=1)
    if peepholes is not None:
        entry, forget = entry + peepholes[0] * cell, forget + peepholes[2] * cell
    memory = _flat(sigmoid, forget) * cell + _flat(sigmoid, entry) * _flat(tanh, new)
    if peepholes is not None:
        out = out + peepholes[1] * memory
    return _flat(sigmoid, out) * _flat(tanh, memory), memory


def _gru(use: Use, x: Array, state: Array, cell: Array, parts: _Parts) -> tuple[Array, Array]:
    """Gates in ONNX's order: update, reset, hidden."""
    weights, recurrence, biases = parts.weights, parts.recurrence, parts.biases
    hidden = state.shape[1]
    start = biases[0].astype(np.float64) + biases[1]
    both = slice(0, 2 * hidden)
    sums = contracted(state, recurrence[both].T, contracted(x, weights[both].T, start[both])).astype(np.float32)
    update, reset = _flat(sigmoid, sums[:, :hidden]), _flat(sigmoid, sums[:, hidden:])
    last = slice(2 * hidden, 3 * hidden)
    if use.integer("linear_before_reset", 0):
        inner = contracted(state, recurrence[last].T, biases[1][last].astype(np.float64)).astype(np.float32)
        new = contracted(x, weights[last].T, biases[0][last].astype(np.float64)).astype(np.float32) + reset * inner
    else:
        new = contracted(reset * state, recurrence[last].T, contracted(x, weights[last].T, start[last])).astype(
            np.float32
        )
    return (_F(1) - update) * _flat(tanh, new) + update * state, cell


KERNELS: Mapping[str, Kernel] = {"LSTM": _recurrent(_lstm, has_cell=True), "GRU": _recurrent(_gru, has_cell=False)}
