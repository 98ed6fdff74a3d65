"""The fast forms of the way out and of second operands against the arithmetic that they stand for, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest

from sima_compiler import arithmetic
from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.layers import BinaryOp, Broadcast
from sima_compiler.ir.program import BinaryStep
from sima_compiler.sim.memory import Region
from sima_compiler.sim.requantizing import CHUNK_VALUES, TABLE_VALUES, Requantizer, binary

BIASES = {
    "small": np.arange(-24, 24, dtype=np.int32) * 1001,
    "beyond float32": np.arange(-24, 24, dtype=np.int32) * 12_345_679 + 1,
    "multiples of large powers": np.arange(-24, 24, dtype=np.int32) * (1 << 25),
    "at the ends of int32": np.array([-(1 << 31), (1 << 31) - 1, 1 << 30] * 16, np.int32),
}


@pytest.mark.parametrize("kind", [np.float32, np.int32, np.float64])
@pytest.mark.parametrize("name", BIASES)
def test_requantizer_equals_arithmetic(name: str, kind: type[np.float32 | np.int32 | np.float64]) -> None:
    random = np.random.default_rng(5)
    limit = 1 << 24 if kind is np.float32 else 1 << 30
    sums = random.integers(1 - limit, limit, (2, 3, CHUNK_VALUES // 96, 48)).astype(np.int32)
    factors = (random.uniform(0.5, 2, 48) * 2.0 ** random.integers(-32, -14, 48)).astype(np.float32)
    for zero_point, clamp in ((0, (-128, 127)), (-128, (-128, 100)), (37, (37, 127))):
        expected = arithmetic.requantize(sums, BIASES[name], factors, zero_point, clamp)
        found = Requantizer(BIASES[name], factors, zero_point, clamp)(sums.astype(kind))
        assert np.array_equal(found, expected)
        assert len(np.unique(found)) > 2


def test_ties_go_to_the_even_neighbour() -> None:
    sums = np.arange(-8, 8, dtype=np.float32).reshape(1, 1, -1, 1)
    found = Requantizer(np.zeros(1, np.int32), np.array([0.5], np.float32), 3, (-128, 127))(sums)
    assert (found.reshape(-1) - 3).tolist() == [-4, -4, -3, -2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2, 3, 4]


@pytest.mark.parametrize("op", BinaryOp)
@pytest.mark.parametrize("shape", [(1, 1, 64), (1, 1, 1), (-1, 32, 64)])
def test_second_operands_by_table_equal_arithmetic(op: BinaryOp, shape: tuple[int, int, int]) -> None:
    random = np.random.default_rng(7)
    rows = TABLE_VALUES // (32 * 64) + 1
    flight = random.integers(-128, 128, (rows, 32, 64)).astype(np.int8)
    other = random.integers(-128, 128, tuple(rows if size < 0 else size for size in shape)).astype(np.int8)
    quants = (Quantization(0.031, -7), Quantization(0.017, 100), Quantization(0.04, -128))
    step = BinaryStep(op, None, Broadcast.NONE, *quants, swapped=False, clamp=(-128, 120), has_lookup=False)
    for left, right in ((flight, other), (other, flight)):
        expected = arithmetic.binary(op, left, right, *quants, step.clamp)
        assert np.array_equal(binary(step, left, right), expected)
        assert np.array_equal(binary(step, left[:1], right[:1]), expected[:1])


def test_merged_regions_visit_the_same_bytes_in_the_same_order() -> None:
    random = np.random.default_rng(11)
    for _ in range(300):
        shape = tuple(int(size) for size in random.integers(1, 4, 4))
        strides = [1]
        for size in reversed(shape[1:]):
            strides.insert(0, strides[0] * size + int(random.choice([0, 0, 5])))
        region = Region(0, 3, shape, tuple(strides))
        merged = region.merged()
        assert places(merged) == places(region)
        assert merged.bounds() == region.bounds()
        if strides == dense(shape):
            assert len(merged.shape) <= 1


def places(region: Region) -> list[int]:
    steps = zip(region.shape, region.strides, strict=True)
    found = np.array([region.offset])
    for size, stride in steps:
        found = (found[:, np.newaxis] + np.arange(size) * stride).reshape(-1)
    return found.tolist()


def dense(shape: tuple[int, ...]) -> list[int]:
    return [int(np.prod(shape[axis + 1 :], dtype=int)) for axis in range(len(shape))]
