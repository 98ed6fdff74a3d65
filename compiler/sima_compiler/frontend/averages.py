"""Averages: AveragePool, GlobalAveragePool and ReduceMean over rows and columns.

In: nodes on activations. Out: a pending average. Always: between a DequantizeLinear and a QuantizeLinear a pool is one
on bytes; anywhere else onnxruntime sums float32, and so does the operation, in the same order.

::

    before: DQ -> AveragePool -> Q           after: an average of bytes
    before: DQ -> Div -> AveragePool -> Q    after: an average of what a table gives for each byte
"""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.frontend import rules
from sima_compiler.frontend.float_sums import order_of, real_average
from sima_compiler.frontend.functions import as_function, settles
from sima_compiler.frontend.moves import move
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Pending, RealFunction, Value
from sima_compiler.frontend.windows import pool_window
from sima_compiler.ir.graph import ConvAttributes, Op, SumOrder


def convert_average_pool(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """AveragePool -> Op.AVERAGE_POOL, or a global one where a window without pads covers the whole map.

    onnxruntime takes its kernel for global pools then, whatever the strides; the two round in different orders.
    """
    shape = reader.shape(node)
    window, result = pool_window(node, shape)
    if window.kernel == shape[1:] and not any(window.pads):
        return [_pool(node, reader, Op.GLOBAL_AVERAGE_POOL, window, result)]
    return [_pool(node, reader, Op.AVERAGE_POOL, window, result)]


def convert_global_average_pool(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """GlobalAveragePool -> Op.GLOBAL_AVERAGE_POOL."""
    shape = reader.shape(node)
    rules.IMAGE_RANK.check(node, f"its input has {len(shape) + 1} dimensions", shape)
    return [_pool(node, reader, Op.GLOBAL_AVERAGE_POOL, None, (shape[0], 1, 1))]


def mean_of_maps(node: SourceNode, reader: Reader, *, keepdims: bool) -> Value | None:
    """ReduceMean over rows and columns -> Op.REAL_AVERAGE_POOL: onnxruntime has no such operator on bytes.

    None where samples of a batch start at other places of its vectors, and so are summed in other orders.
    """
    channels, rows, columns = reader.shape(node)
    if reader.batch != 1 and channels * rows * columns % 4:
        return None
    window = ConvAttributes((rows, columns))
    mean = real_average(node.name, _function(node, reader), window, SumOrder.PAIRS, (channels, 1, 1))
    return mean if keepdims else move(node, reader, Op.RESHAPE, (channels,), source=mean)


def _pool(node: SourceNode, reader: Reader, op: Op, window: ConvAttributes | None, shape: tuple[int, ...]) -> Pending:
    """``window``: None for a GlobalAveragePool."""
    if settles(reader.activation(node), node, reader):
        return Pending(op, node.name, (reader.settled(node),), shape, window)
    source = _function(node, reader)
    order = order_of(node, op, window, source.shape)
    if order is SumOrder.LANES and source.packed is not False:
        rules.PACKED_IN_FRONT.check(node, "a MaxPool in float32 stands further in front", source.packed)
        order = SumOrder.ROWS
    whole = ConvAttributes((source.shape[1], source.shape[2]))
    return real_average(node.name, source, window or whole, order, shape)


def _function(node: SourceNode, reader: Reader) -> RealFunction:
    """The input as arithmetic on one tensor, the same for all channels.

    Raises:
        UnsupportedError: it is none.
    """
    value = reader.activation(node)
    function = as_function(value, node, reader)
    if function is None:
        reader.builder.check_settles(value, node)
        raise node.unsupported("its input is no activation", rule=rules.QUANTIZED.sentence)
    rules.MEAN_OF_ONE.check(node, "what it averages varies along an axis", function.is_uniform)
    return function
