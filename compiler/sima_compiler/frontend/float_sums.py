"""Products and averages where no quantization stands right beside them: onnxruntime computes them in float32.

In: a pending operation and what it reads. Out: the operation as onnxruntime runs it, bit for bit. Always: what it sums
in an order that this machine cannot follow is refused.

=====================  ================================================================================
MatMul                 sums of bytes, scaled: exact, but for a Relu or Clip behind it (float32)
Gemm without a bias    the same
Gemm, Conv             float32 products: refused
averages               float32 sums in one of four orders (`SumOrder`): followed
Add, Mul               float32: followed
=====================  ================================================================================
"""

from __future__ import annotations

from dataclasses import replace

from sima_compiler.arithmetic import ALL_BYTES, dequantize
from sima_compiler.frontend import rules
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.values import Activation, Pending, RealFunction
from sima_compiler.ir.graph import ConvAttributes, Op, Quantization, RealAverageAttributes, SumOrder

#: Channels of which onnxruntime packs whole vectors (of 16 with AVX512, of 8 without): it sums those cell by cell.
PACKED_CHANNELS = 16
#: Widest stride of columns at which it sums windows column by column otherwise; beyond, cell by cell.
COLUMN_STRIDE = 2
#: Most columns with pads for which it does: its buffer for a row holds 2,048 with room for a vector at each end.
MOST_COLUMNS = 2000
#: Operators and what they are in float32.
REAL_FORMS = {Op.ADD: Op.REAL_ADD, Op.MUL: Op.REAL_MUL, Op.SOFTMAX: Op.REAL_SOFTMAX, Op.MATMUL: Op.REAL_MATMUL}
_AVERAGES = frozenset({Op.AVERAGE_POOL, Op.GLOBAL_AVERAGE_POOL})


def in_reals(value: Pending, source: Quantization, *, read_bytes: bool, limited: bool) -> Pending:
    """The operation as onnxruntime runs it where a quantization beside it is missing.

    ``source``: of the first operand. ``read_bytes``: a DequantizeLinear stands right in front of each operand.
    ``limited``: a Relu or Clip behind it stays.

    Raises:
        UnsupportedError: products that are summed in float32.
    """
    if value.op in (Op.CONV, Op.GEMM):
        node = SourceNode(str(value.op), "", value.source, (), (), {})
        found = "onnxruntime computes its products in float32, for no quantization stands right beside it"
        rules.PRODUCT_BESIDE.check(node, found, read_bytes and _scales_sums(value, limited=limited))
        return replace(value, always_real=True)
    if value.op in _AVERAGES:
        return _pool_in_reals(value, source)
    return replace(value, op=REAL_FORMS.get(value.op, value.op), always_real=True)


def real_average(
    name: str, source: RealFunction, window: ConvAttributes, order: SumOrder, shape: tuple[int, ...]
) -> Pending:
    """The average of a function of bytes, which the node ``name`` of the file takes."""
    attributes = RealAverageAttributes(window, order, source.values.reshape(256), source.steps, source.nodes)
    return Pending(Op.REAL_AVERAGE_POOL, name, (source.source,), shape, attributes)


def order_of(node: SourceNode, op: Op, window: ConvAttributes | None, shape: tuple[int, ...]) -> SumOrder:
    """How onnxruntime sums a pool in float32 over a map of ``shape`` (channels, rows, columns).

    ``window``: None for a GlobalAveragePool, which onnxruntime packs only behind another pool that it packs.

    Raises:
        UnsupportedError: over a map so wide that it is unknown.
    """
    if window is not None and shape[0] % PACKED_CHANNELS == 0:
        return SumOrder.ROWS
    if op is Op.GLOBAL_AVERAGE_POOL or window is None:
        return SumOrder.LANES
    if window.strides[1] > COLUMN_STRIDE:
        return SumOrder.ROWS
    columns = shape[2] + window.pads[1] + window.pads[3]
    rules.FLOAT_POOL_WIDTH.check(node, f"its map is {columns} columns wide", columns <= MOST_COLUMNS)
    return SumOrder.COLUMNS


def _scales_sums(value: Pending, *, limited: bool) -> bool:
    """Whether onnxruntime multiplies bytes, scales the sums and adds what stands in an Add behind."""
    added_behind = value.always_real
    bare = value.weights is not None and not value.weights.has_bias and not limited
    return value.op is Op.GEMM and value.real_bias is not None and (added_behind or bare)


def _pool_in_reals(value: Pending, source: Quantization) -> Pending:
    """A pending average of bytes, taken of reals."""
    operand, window = value.inputs[0], value.attributes
    assert isinstance(operand, Activation), "pools on bytes read tensors"
    window = window if isinstance(window, ConvAttributes) else None
    node = SourceNode(str(value.op), "", value.source, (), (), {})
    order = order_of(node, value.op, window, operand.shape)
    whole = ConvAttributes((operand.shape[1], operand.shape[2]))
    attributes = RealAverageAttributes(window or whole, order, dequantize(ALL_BYTES, source))
    return replace(value, op=Op.REAL_AVERAGE_POOL, attributes=attributes)
