"""One movement of a node's first input, done at once on bytes and later on real values.

In: a node, the operator of the graph and its attributes. Out: a value. Always: a node that takes several movements
gives each a name of its own.
"""

from __future__ import annotations

from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Activation, GraphInput, Moving, Pending, RealFunction, Value
from sima_compiler.ir.graph import Op, ShapeAttributes

#: Movements past which onnxruntime moves the quantizations beside them.
TRANSPARENT = frozenset({"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Slice", "MaxPool", "Identity"})


def source_of(node: SourceNode, reader: Reader, value: Value | None = None) -> Moving:
    """``value``, or the node's first input, as what a movement may follow."""
    if isinstance(value, Activation | Pending | GraphInput | RealFunction):
        return value
    return reader.activation(node)


def move(
    node: SourceNode,
    reader: Reader,
    op: Op,
    shape: tuple[int, ...],
    attributes: ShapeAttributes | None = None,
    *,
    source: Value | None = None,
    pad_value: float = 0.0,
    output: int = 0,
    suffix: str = "",
) -> Value:
    """``op`` on ``source`` (the first input if None); ``suffix`` marks a step inside the node."""
    name = node.name if output == 0 else f"{node.name}_{output}"
    label = node.outputs[output] + (f"_{suffix}" if suffix else "")
    inner = source_of(node, reader, source)
    pending = Pending(
        op, name, (inner,), shape, attributes, pad_value=pad_value, transparent=node.operator in TRANSPARENT, name=label
    )
    return moved(reader, pending)


def moved(reader: Reader, pending: Pending) -> Value:
    """A movement: done at once on bytes, later on real values."""
    source = pending.inputs[0]
    if isinstance(source, Activation) and source.integer:
        node = SourceNode(str(pending.op), "", pending.source, (), (), {})
        return reader.builder.quantized(pending, reader.builder.quant(source), pending.name, node)
    return pending
