"""Operators that onnxruntime computes in float32 in an order that cannot be met: the list, each with its reason.

In: nothing. Out: rows by operator of the graph, printed into docs/operators.md. Always: given onnxruntime's own input,
such an operator differs from it by one step at most, and in no larger share of its elements than its row says;
every operator that is not on the list is exact. `tests/support/fed_nodes.py` holds networks to both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sima_compiler.ir.graph import Op


@dataclass(frozen=True, slots=True)
class FloatInside:
    """One operator of the list.

    ``reason``: why onnxruntime's order of roundings cannot be met, completing "onnxruntime ...". ``share``: the largest
    part of its elements that may lie one step off, above what was measured on random data; a test that sees more fails.
    ``measured``: on what, and what was seen.
    """

    reason: str
    share: float
    measured: str


#: Rows by operator, in the order in which the page lists them.
FLOAT_INSIDE: Mapping[Op, FloatInside] = {
    Op.CONV_TRANSPOSE: FloatInside(
        reason="has no form of it on bytes: it multiplies dequantized reals and sums them in float32, in an order that "
        "its host's matrix product decides, where this machine sums integers and rounds once",
        share=1e-4,
        measured="3 of 2,089,443 elements of 150 random networks; 2 of 409,600 with 64 channels and 4 x 4 weights",
    ),
    Op.REAL_GEMM: FloatInside(
        reason="multiplies reals, for the Gemm has factors or a bias that is no vector, or its matrix stands on the "
        "left, and adds as many products at a time as the host's vectors hold; here bytes are multiplied and sums are "
        "exact",
        share=5e-4,
        measured="4 of 480,000 elements of 120 networks",
    ),
    Op.LRN: FloatInside(
        reason="adds the square of each next channel and takes off that of the last one, all in float32, so that its "
        "sums carry what was rounded before them; here sums are exact",
        share=1e-4,
        measured="1 of 1,194,816 elements of 40 networks",
    ),
    Op.REDUCE_SUM: FloatInside(
        reason="adds float32 as many at a time as the host's vectors hold, where integers add up exactly here",
        share=1e-3,
        measured="7 of 117,552 elements of 114 networks",
    ),
    Op.REDUCE_MEAN: FloatInside(
        reason="adds as in a ReduceSum, and divides by the count",
        share=3e-3,
        measured="1 of 110,544 elements of 111 networks; 3 of 1,600 where scales of few decimals put one mean in 110 "
        "half-way between two steps",
    ),
    Op.REAL_SOFTMAX: FloatInside(
        reason="has exponentials from a polynomial, and adds as many at a time as the host's vectors hold",
        share=1e-4,
        measured="0 of 523,252 elements of 60 networks whose softmax is quantized twice",
    ),
    Op.LOG_SOFTMAX: FloatInside(
        reason="has exponentials from a polynomial and its host's logarithm, and adds as many at a time as the host's "
        "vectors hold",
        share=1e-4,
        measured="4 of 1,984,770 elements of 90 networks",
    ),
    Op.REAL_MATMUL: FloatInside(
        reason="multiplies reals, for no quantization stands right behind, and adds as many products at a time as the "
        "host's vectors hold; here bytes are multiplied and sums are exact",
        share=5e-4,
        measured="5 of 971,248 elements of 60 networks whose product is quantized twice",
    ),
    Op.EINSUM: FloatInside(
        reason="has no Einsum on bytes: it multiplies reals as a MatMul of reals does",
        share=5e-4,
        measured="4 of 485,624 elements of 60 networks",
    ),
    Op.LAYER_NORM: FloatInside(
        reason="adds float32 in an order that changed from version to version: value by value with a running mean, or "
        "as many at a time as the host's vectors hold; here sums are exact",
        share=2e-4,
        measured="15 of 1,652,086 elements of 120 networks",
    ),
    Op.RMS_NORM: FloatInside(
        reason="adds squares as it adds values in a LayerNormalization",
        share=1e-4,
        measured="3 of 1,652,086 elements of 120 networks",
    ),
    Op.INSTANCE_NORM: FloatInside(
        reason="adds float32 as many at a time as the host's vectors hold, from where a channel's memory is aligned",
        share=2e-3,
        measured="3 of 1,047,390 elements of 120 networks, two of them in one network of 1,520",
    ),
}
