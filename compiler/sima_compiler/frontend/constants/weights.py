"""Weights and biases as the machine takes them.

Before: weights int8 or uint8 around any zero point; a bias in real numbers, or in integers of any scale.
After: weights int8 around 0 wherever their distances from the zero point fit; a bias in int32 whose unit is input scale
times weight scale. Always: weights keep their values exactly; a bias that loses by it is named in a warning; what does
not fit stays as it is, for a rule to refuse.

In: a QDQ model with folded constants. Out: the same model, in place, and warnings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from sima_compiler.frontend.constants.checks import SMALLEST_SCALE
from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.ordering import label
from sima_compiler.frontend.constants.tensors import Array, Constants

#: Operators with weights at input 1 and, where they have one, a bias at input 2.
WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
#: Largest relative difference between a bias's scale and sx * sw that is float32 rounding, not another meaning.
UNIT_TOLERANCE = 1e-4
INT32 = np.iinfo(np.int32)
#: Of a weight in int8 and an activation's distance from its zero point.
LARGEST_PRODUCT = 128 * 255
#: The scale that constants of scale 0 get. Small, so that a bias of such a channel keeps its value to 1/65536 of an
#: input step, and large enough that int32 still reaches 32,768 input steps.
PRUNED_SCALE = 2.0**-16


#: Refuses a node's bias when the last argument is False; the second says what was found.
Check = Callable[[onnx.NodeProto, str, bool], None]


def settle_weights(model: onnx.ModelProto, names: Names, check: Check) -> list[str]:
    """Rewrite weights and biases of ``model`` in place; returns warnings.

    ``check`` is asked about biases that move a result by more than half a step when they are restated.
    """
    settling = _Settling(model, names, check)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type in WEIGHTED and not node.domain and len(node.input) > 1:
            settling.weights(node.input[1])
        elif node.op_type == "DequantizeLinear":
            settling.pruned(node)
        if node.op_type in WEIGHTED and len(node.input) > 2 and node.input[2]:
            bias = settling.bias(node)
            nodes += [] if bias is None else [bias]
        nodes.append(node)
    holder = onnx.GraphProto()
    holder.node.extend(nodes)
    del model.graph.node[:]
    model.graph.node.extend(holder.node)
    return settling.warnings


@dataclass(slots=True)
class _Settling:
    """Constants and dequantizers by name; replacements get names of their own, because tensors may be shared."""

    model: onnx.ModelProto
    names: Names
    check: Check
    constants: Constants = field(init=False)
    dequantizers: dict[str, onnx.NodeProto] = field(init=False)
    scales: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict[str, npt.NDArray[np.float32]])
    warnings: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.constants = Constants(graph)
        self.dequantizers = {node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
        # As the file states them: a pruned channel's bias is computed with its scale of 0, or next to it.
        for name, node in self.dequantizers.items():
            scale = self.constants.get(node.input[1])
            if scale is not None:
                self.scales[name] = np.where(scale < SMALLEST_SCALE, 0, scale).astype(np.float32)

    def weights(self, name: str) -> None:
        """Weights behind DequantizeLinear as int8 around 0, when they fit."""
        node = self.dequantizers.get(name)
        values = self.constants.get(node.input[0]) if node is not None else None
        if node is None or values is None or values.dtype not in (np.int8, np.uint8) or _is_blocked(node):
            return
        zero = self._zero_point(node, values)
        if values.dtype == np.int8 and not zero.any():
            return
        centred = values.astype(np.int16) - _spread(zero.astype(np.int16), values, node)
        if centred.min(initial=0) < -128 or centred.max(initial=0) > 127:
            return
        node.input[0] = self._add(f"{name}_values", centred.astype(np.int8))
        del node.input[2:]
        node.input.append(self._add(f"{name}_zero_point", np.zeros(zero.shape, np.int8)))

    def pruned(self, node: onnx.NodeProto) -> None:
        """Constants of scale 0, or next to it, are zeros of `PRUNED_SCALE`: real zeros, and a scale to divide by.

        The integers become the lowest of their type, so that the uint8 form multiplies a true 0 by the new scale.
        """
        values, scale = self.constants.get(node.input[0]), self.constants.get(node.input[1])
        if (
            values is None
            or scale is None
            or (scale >= SMALLEST_SCALE).all()
            or values.dtype.kind not in "iu"
            or _is_blocked(node)
        ):
            return
        lowest = 0 if values.dtype == np.int32 else np.iinfo(values.dtype).min
        tiny = scale < SMALLEST_SCALE
        zero = np.where(tiny, lowest, self._zero_point(node, values).reshape(-1)).reshape(scale.shape)
        is_pruned = np.broadcast_to(_spread(tiny, values, node), values.shape)
        name = node.output[0]
        node.input[0] = self._add(f"{name}_values", np.where(is_pruned, lowest, values).astype(values.dtype))
        node.input[1] = self._add(f"{name}_scale", np.where(tiny, PRUNED_SCALE, scale).astype(scale.dtype))
        del node.input[2:]
        node.input.append(self._add(f"{name}_zero_point", zero.astype(values.dtype)))

    def bias(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """A dequantizer of ``node``'s bias in units of sx * sw; None where it has that already, or no known unit."""
        stated = [self.scales.get(name) for name in node.input[:2]]
        real, exact = self._real_bias(node.input[2])
        if node.op_type == "Gemm" and _own_rank(self.constants.get(node.input[2])) > 1:
            return None  # in float32, which the reader refuses
        if real is None or stated[0] is None or stated[1] is None or stated[0].size != 1:
            return None
        unit = stated[0].reshape(-1) * stated[1].reshape(-1)
        if real.size not in (1, unit.size) and unit.size != 1:
            return None  # the reader says what does not fit
        given = self.scales.get(node.input[2])
        if given is not None and same_unit(given, unit) and exact:
            return None
        used = np.where(unit == 0, stated[0].reshape(-1) * np.float32(PRUNED_SCALE), unit).astype(np.float32)
        if given is None or node.op_type == "Gemm":
            # onnxruntime's Gemm multiplies the sums, bias and all, by sx * sw; a real bias it quantizes by that.
            lost = np.broadcast_to(unit == 0, np.broadcast_shapes(unit.shape, real.shape)) & (real != 0)
            self.warnings += _lost_bias(node, np.abs(np.broadcast_to(real, lost.shape)[lost]))
            real = np.where(unit == 0, 0, real)
        steps, error = in_units(real, used, self._terms(node, real.size))
        if given is not None:
            self._check_restated(node, used, error)
        if given is not None or error > used.max():  # more than rounding
            self.warnings += requantized_bias(label(node), error)
        return self._dequantizer(node, steps, used)

    def _check_restated(self, node: onnx.NodeProto, unit: npt.NDArray[np.float32], error: float) -> None:
        """Refuse a bias that its product's unit moves by more than half a step of the result."""
        step = self._step_behind(node.output[0])
        found = f"its bias has another scale, and moves by {error:.3g} in input scale times weight scale"
        allowed = float(unit.max()) / 2 if step is None else step / 2
        self.check(node, found, error <= allowed * (1 + UNIT_TOLERANCE))

    def _step_behind(self, name: str) -> float | None:
        """Scale of the QuantizeLinear that a product's result reaches through whatever has one input."""
        for node in self.model.graph.node:  # in order, each behind what it reads
            if not node.input or node.input[0] != name:
                continue
            if node.op_type == "QuantizeLinear":
                scale = self.constants.get(node.input[1])
                return float(scale.reshape(-1)[0]) if scale is not None and scale.size else None
            name = node.output[0]
        return None

    def _terms(self, node: onnx.NodeProto, outputs: int) -> int:
        """How many products make one result; all of the weights where that is not known."""
        weights = self.dequantizers.get(node.input[1])
        values = self.constants.get(weights.input[0]) if weights is not None else None
        return 0 if values is None else values.size // max(outputs, 1)

    def _real_bias(self, name: str) -> tuple[npt.NDArray[np.float64] | None, bool]:
        """Its real values, and whether they are integers around 0 already."""
        if name in self.constants:
            array = self.constants[name]
            return (array.astype(np.float64).reshape(-1), False) if array.dtype.kind == "f" else (None, False)
        node = self.dequantizers.get(name)
        values = self.constants.get(node.input[0]) if node is not None else None
        scale = self.scales.get(name)
        if node is None or values is None or scale is None or _is_blocked(node):
            return None, False
        zero = self._zero_point(node, values)
        steps = values.astype(np.int64) - _spread(zero.astype(np.int64), values, node)
        real = np.asarray(steps * _spread(scale.astype(np.float64), values, node), np.float64)
        return real.reshape(-1), values.dtype == np.int32 and not zero.any()

    def _dequantizer(self, node: onnx.NodeProto, values: Array, unit: Array) -> onnx.NodeProto:
        stem = node.name or node.output[0]
        shaped = unit if unit.size > 1 else unit.reshape(())
        inputs = [self._add(f"{stem}_bias_values", values), self._add(f"{stem}_bias_unit", shaped)]
        node.input[2] = self.names.fresh(f"{stem}_bias_real")
        return helper.make_node("DequantizeLinear", inputs, [node.input[2]], self.names.fresh(f"{stem}_bias"), axis=0)

    def _zero_point(self, node: onnx.NodeProto, values: Array) -> Array:
        """The zero points in the shape of the scales."""
        scale = self.constants.get(node.input[1], np.zeros(()))
        name = node.input[2] if len(node.input) > 2 else ""
        zero = self.constants.get(name, np.zeros((), values.dtype))
        return np.broadcast_to(zero.reshape(-1) if scale.ndim else zero.reshape(-1)[:1].reshape(()), scale.shape)

    def _add(self, stem: str, array: Array) -> str:
        return self.constants.add(self.names.fresh(stem), array)


def _own_rank(constant: Array | None) -> int:
    """Axes of a constant that stands for itself, 0 where there is none."""
    return 0 if constant is None else constant.ndim


def _is_blocked(node: onnx.NodeProto) -> bool:
    return any(entry.name == "block_size" and entry.i for entry in node.attribute)


def same_unit(given: npt.NDArray[np.float32], unit: npt.NDArray[np.float32]) -> bool:
    """Whether a bias's scales are those of the sums it is added to, give or take float32 rounding."""
    sizes_fit = given.size in (1, unit.size) or unit.size == 1
    return sizes_fit and bool(np.allclose(given.reshape(-1), unit, rtol=UNIT_TOLERANCE, atol=0.0) and unit.all())


def in_units(
    real: npt.NDArray[np.float64], unit: npt.NDArray[np.float32], terms: int
) -> tuple[npt.NDArray[np.int32], float]:
    """A bias in real numbers as int32 multiples of ``unit``, and the largest error that this makes.

    A sum of ``terms`` products on top of it never leaves int32: beyond that it would wrap to the other sign.
    """
    wide = unit.astype(np.float64).reshape(-1)
    limit = max(INT32.max - terms * LARGEST_PRODUCT, 0)
    steps = np.clip(np.rint(real / wide), -limit, limit).astype(np.int32)
    return steps, float(np.abs(steps * wide - real).max(initial=0.0))


def requantized_bias(owner: str, error: float) -> list[str]:
    """What to say about a bias that changed by ``error`` at most; nothing when it did not."""
    text = f"{owner}: its bias has another scale than input scale times weight scale and is requantized"
    return [f"{text}; largest error {error:.3g}"] if error else []


def _lost_bias(node: onnx.NodeProto, lost: npt.NDArray[np.float64]) -> list[str]:
    text = f"{label(node)}: a bias on a channel whose weight scale is 0 is lost, as in onnxruntime"
    return [f"{text}; largest {lost.max():.3g}"] if lost.size else []


def _spread(parameters: Array, values: Array, node: onnx.NodeProto) -> Array:
    """Per-channel parameters in a shape that broadcasts against the values."""
    if parameters.size == 1:
        return parameters.reshape(())
    axis = next((entry.i for entry in node.attribute if entry.name == "axis"), 1) % values.ndim
    return parameters.reshape([-1 if place == axis else 1 for place in range(values.ndim)])
