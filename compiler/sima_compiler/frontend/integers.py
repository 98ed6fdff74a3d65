"""The quantization of every int8 or uint8 value of the file, wherever it is stated.

In: a QDQ model. Out: quantizations by ONNX value name, in the int8 frame. Always: movements have the same on both
sides, so a value between an integer input and its DequantizeLinear has one too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from sima_compiler.frontend.constants.checks import LARGEST_SCALE, SMALLEST_SCALE
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.rules import ACTIVATION_BYTES, PER_TENSOR
from sima_compiler.frontend.values import parameters
from sima_compiler.ir.graph import Quantization

#: Operators that hand bytes on unchanged, first input to every output.
BYTE_MOVEMENTS = frozenset(
    {"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Slice", "Split", "Pad", "Resize",
     "Upsample", "MaxPool", "Concat", "Dropout", "Gather", "Tile", "Expand", "SpaceToDepth", "DepthToSpace"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class IntegerValues:
    """Quantizations by value name; ``unsigned`` names those that are uint8 in the file."""

    quants: Mapping[str, Quantization]
    unsigned: frozenset[str]


def integer_values(model: onnx.ModelProto, constants: Mapping[str, npt.NDArray[np.generic]]) -> IntegerValues:
    """What the file states, spread over movements until nothing changes."""
    quants: dict[str, Quantization] = {}
    unsigned: set[str] = set()
    for node in model.graph.node:
        integer = _stated(node)
        if integer is None or integer in constants or node.input[1] not in constants:
            continue
        scale = constants[node.input[1]]
        zero = constants.get(node.input[2], np.zeros((), np.uint8)) if len(node.input) > 2 else np.zeros((), np.uint8)
        if scale.size == 1 and zero.size == 1 and zero.dtype in (np.int8, np.uint8):
            quants[integer] = parameters(
                float(scale.reshape(-1)[0]), int(zero.reshape(-1)[0]), unsigned=zero.dtype == np.uint8
            )
            if zero.dtype == np.uint8:
                unsigned.add(integer)
    links = [(node.input[0], out) for node in model.graph.node if node.op_type in BYTE_MOVEMENTS and node.input
             for out in node.output]  # fmt: skip
    _spread(links, quants, unsigned)
    return IntegerValues(quants, frozenset(unsigned))


def _stated(node: onnx.NodeProto) -> str | None:
    if node.op_type == "QuantizeLinear":
        return node.output[0]
    return node.input[0] if node.op_type == "DequantizeLinear" else None


def _spread(links: Sequence[tuple[str, str]], quants: dict[str, Quantization], unsigned: set[str]) -> None:
    neighbours: dict[str, list[str]] = {}
    for source, target in links:
        neighbours.setdefault(source, []).append(target)
        neighbours.setdefault(target, []).append(source)
    waiting = deque(quants)
    while waiting:
        source = waiting.popleft()
        for target in neighbours.get(source, ()):
            if target not in quants:
                quants[target] = quants[source]
                unsigned |= {target} if source in unsigned else set()
                waiting.append(target)


def read_values(model: onnx.ModelProto, constants: Mapping[str, npt.NDArray[np.generic]]) -> Iterator[str]:
    """Every value as often as it is read, by nodes and as an output; equal QuantizeLinear nodes count as one."""
    seen: set[tuple[str, ...]] = set()
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            stated = [constants.get(name) for name in node.input[1:]]
            key = (node.input[0], *(str(None if array is None else (array.dtype, array.tolist())) for array in stated))
            if key in seen:
                continue
            seen.add(key)
        yield from node.input
    yield from (entry.name for entry in model.graph.output)


def scale_and_zero_point(node: SourceNode, constants: Sequence[npt.NDArray[np.generic]]) -> tuple[Quantization, bool]:
    """The quantization that an activation's QuantizeLinear or DequantizeLinear states, and whether it is uint8.

    Raises:
        UnsupportedError: several scales, or another type than int8 and uint8.
    """
    scale = constants[0]
    zero = constants[1] if len(constants) > 1 else np.zeros((), np.uint8)
    PER_TENSOR.check(node, f"it has {scale.size} scales", scale.size == 1 and zero.size == 1)
    ACTIVATION_BYTES.check(node, f"its values are {zero.dtype}", zero.dtype in (np.int8, np.uint8))
    real = float(scale.reshape(-1)[0])
    if not SMALLEST_SCALE <= real <= LARGEST_SCALE:
        raise node.invalid(f"its scale is {real}, expected a positive number from 2^-100 to 2^100")
    unsigned = zero.dtype == np.uint8
    return parameters(real, int(zero.reshape(-1)[0]), unsigned=unsigned), unsigned
