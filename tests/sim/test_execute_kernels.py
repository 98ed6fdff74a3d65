"""What commands compute, through `.lm` bytes: against onnxruntime's uint8 operators and against plain integer loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.layers import BinaryOp, Broadcast, PoolKind, Window
from sima_compiler.ir.program import (
    Combine,
    ComputeCommand,
    Fill,
    Gather,
    Interpolate,
    Operand,
    Pool,
    Resample,
    Role,
    Translate,
    Wait,
    WayOut,
)
from sima_compiler.lm.constants import ConstantSections, pack_constants, unpack_constants
from sima_compiler.lm.writer import encode
from sima_compiler.sim.convolution import EXACT, exact_splits
from sima_compiler.sim.execute import run_lm
from tests.sim.small_programs import FULL, ProgramBuilder, Shape, binary_step, convolve, quant, random_map

WINDOWS = [
    Window((1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
    Window((3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
    Window((3, 3), (2, 2), (1, 1), (0, 0, 1, 1)),
    Window((5, 2), (1, 3), (1, 1), (2, 0, 1, 1)),
    Window((3, 2), (1, 2), (2, 3), (2, 1, 0, 3)),
    Window((7, 9), (1, 1), (1, 1), (0, 0, 0, 0)),
    Window((1, 1), (4, 3), (1, 1), (0, 0, 0, 0)),
]
SOURCE: Shape = (3, 7, 9, 4)


def output_size(shape: Shape, window: Window) -> tuple[int, int]:
    reach = [(k - 1) * d + 1 for k, d in zip(window.kernel, window.dilations, strict=True)]
    pads = (window.pads[0] + window.pads[2], window.pads[1] + window.pads[3])
    rows, columns = ((shape[1 + i] + pads[i] - reach[i]) // window.strides[i] + 1 for i in (0, 1))
    return rows, columns


class Single:
    """One command between loads and a store; ``lanes`` puts padding between pixels."""

    def __init__(self, source: Shape, target: Shape, lanes: int, *operands: Shape, machine_batch: int = 3) -> None:
        self.builder = ProgramBuilder(machine_batch)
        self.values: dict[str, np.ndarray] = {}
        rng = np.random.default_rng(sum(source))
        regions: list[Operand] = []
        for number, shape in enumerate((source, *operands)):
            tensor = self.builder.tensor(f"x{number}", Role.INPUT, shape, quant(1, 0), lanes)
            regions.append(self.builder.operand(shape, lanes))
            self.builder.load(tensor, regions[-1])
            self.values[f"x{number}"] = random_map(rng, shape)
        self.source, *self.operands = regions
        self.output = self.builder.tensor("y", Role.OUTPUT, target, quant(1, 0), lanes)
        self.target = self.builder.operand(target, lanes)

    def run(self, command: ComputeCommand) -> np.ndarray:
        """The output in the source's layout: (samples, channels, rows, columns)."""
        self.builder.compute(command)
        self.builder.store(self.output, self.target)
        return run_lm(encode(self.builder.program()), self.values)["y"]


def unsigned(values: np.ndarray) -> np.ndarray:
    return (values.astype(np.int16) + 128).astype(np.uint8)


def ort(
    operator: str, inputs: Sequence[Any], dynamic: dict[str, np.ndarray], domain: str = "", **attributes: Any
) -> np.ndarray:
    """One operator in onnxruntime; texts among ``inputs`` name arrays of ``dynamic``, the rest are constants."""
    names: list[str] = []
    constants: list[onnx.TensorProto] = []
    for number, value in enumerate(inputs):
        if isinstance(value, str):
            names.append(value)
            continue
        names.append(f"c{number}")
        constants.append(onnx.numpy_helper.from_array(np.asarray(value), names[-1]))
    infos = [helper.make_tensor_value_info(name, TensorProto.UINT8, v.shape) for name, v in dynamic.items()]
    node = helper.make_node(operator, names, ["y"], domain=domain, **attributes)
    result = helper.make_tensor_value_info("y", TensorProto.UINT8, None)
    graph = helper.make_graph([node], "g", infos, [result], constants)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return (np.asarray(session.run(None, dynamic)[0], np.int16) - 128).astype(np.int8)


@pytest.mark.parametrize("lanes", [1, 16])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("groups", "outputs"), [(1, 5), (2, 6), (4, 4), (4, 8)])
def test_convolution_equals_onnxruntime(window: Window, groups: int, outputs: int, lanes: int) -> None:
    rng = np.random.default_rng(groups * 100 + outputs)
    case = Single(SOURCE, (3, *output_size(SOURCE, window), outputs), lanes)
    weights = rng.integers(-127, 128, (outputs, *window.kernel, 4 // groups)).astype(np.int8)
    bias = rng.integers(-5000, 5001, outputs).astype(np.int32)
    scales = rng.uniform(0.001, 0.003, outputs).astype(np.float32)
    sx, sy = np.float32(0.11), np.float32(0.37)
    factors = (sx * scales) / sy
    number = case.builder.parameters(ConstantSections(weights=weights, bias=bias, multipliers=factors))
    command = convolve(case.source, case.target, number, window, (9, quant(0.37, -20)), groups)
    zeros = np.zeros(outputs, np.int8)
    expected = ort(
        "QLinearConv",
        ["x", sx, np.uint8(137), weights.transpose(0, 3, 1, 2), scales, zeros, sy, np.uint8(108), bias],
        {"x": unsigned(case.values["x0"])},
        group=groups, strides=window.strides, dilations=window.dilations, pads=window.pads,
    )  # fmt: skip
    np.testing.assert_array_equal(case.run(command), expected)


def test_a_convolution_too_long_for_float32_is_still_exact() -> None:
    """All products at their largest: 3 x 3 x 96 x 128 x 255 is far beyond 2^24."""
    source: Shape = (2, 5, 5, 96)
    window = Window((3, 3), (1, 1), (1, 1), (1, 1, 1, 1))
    case = Single(source, (2, 5, 5, 3), 16, machine_batch=2)
    rng = np.random.default_rng(0)
    case.values["x0"] = rng.choice(np.array([126, 127], np.int8), (2, 96, 5, 5))
    weights = rng.integers(125, 128, (3, 3, 3, 96)).astype(np.int8)
    weights[1] *= -1
    bias = np.array([-27_900_000, 27_900_001, 1], np.int32)
    factors = np.full(3, 1e-3, np.float32)
    number = case.builder.parameters(ConstantSections(weights=weights, bias=bias, multipliers=factors))
    command = convolve(case.source, case.target, number, window, (-128, quant(1, 0)))
    padded = np.pad(case.values["x0"].astype(np.int64) + 128, ((0, 0), (0, 0), (1, 1), (1, 1)))
    total = np.zeros((2, 3, 5, 5), np.int64)
    for row, column in product(range(3), repeat=2):
        seen, factor = padded[:, :, row : row + 5, column : column + 5], weights[:, row, column].astype(np.int64)
        total += np.einsum("nchw,oc->nohw", seen, factor)
    total += bias.reshape(3, 1, 1)
    assert np.abs(total[:, 2]).max() > EXACT
    expected = np.clip(np.rint(total.astype(np.float32) * np.float32(1e-3)), -128, 127)
    np.testing.assert_array_equal(case.run(command), expected.astype(np.int8))


@pytest.mark.parametrize("values", [(0, 255), (-128, 127), (-255, 0), (0, 90), (-3, 200)])
def test_splits_keep_every_part_below_the_exact_limit(values: tuple[int, int]) -> None:
    """The worst inputs: the largest value where a weight is positive, the least where it is negative, and reversed."""
    weights = np.random.default_rng(values[1]).integers(-128, 128, (2, 7, 3000)).astype(np.int8)
    weights[0, 3], weights[1, 5] = 127, -128
    wide, (low, high) = weights.astype(np.int64), values

    def worst(first: int, last: int) -> int:
        part = wide[:, :, first:last]
        up = np.where(part > 0, part * high, part * low).sum(axis=2).max()
        down = -np.where(part > 0, part * low, part * high).sum(axis=2).min()
        return int(max(up, down))

    splits = exact_splits(weights, values)
    assert [splits[0][0], *(last for _, last in splits)] == [*(first for first, _ in splits), 3000]
    assert all(worst(first, last) < EXACT for first, last in splits)
    fewer = len(splits) - 1
    if fewer:
        assert any(worst(3000 * p // fewer, 3000 * (p + 1) // fewer) >= EXACT for p in range(fewer))


def table(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, 256).astype(np.int8)


@pytest.mark.parametrize("scales", [(0.031, 0.017, 0.04), (0.05, 0.1, 0.0125), (0.02, 0.03, 0.06)])
@pytest.mark.parametrize(
    ("broadcast", "shape"),
    [(Broadcast.NONE, (3, 7, 9, 4)), (Broadcast.CHANNEL, (3, 1, 1, 4)), (Broadcast.SCALAR, (3, 1, 1, 1))],
)
def test_addition_of_two_maps_equals_onnxruntime(
    broadcast: Broadcast, shape: Shape, scales: tuple[float, float, float]
) -> None:
    """Scales of few decimals put many sums on ties, where every single rounding shows."""
    for zero_points in ((5, -9, 2), (89, 35, 2), (-128, -128, -128), (-59, 77, -8)):
        a, b, y = (quant(scale, zero) for scale, zero in zip(scales, zero_points, strict=True))
        for swapped in (False, True) if broadcast is Broadcast.NONE else (False,):
            case = Single(SOURCE, SOURCE, 16, shape)
            step = binary_step(BinaryOp.ADD, case.operands[0], broadcast, (a, b, y), swapped=swapped)
            result = case.run(Combine(0, Wait(), case.source, case.target, None, step))
            flight, other = unsigned(case.values["x0"]), unsigned(case.values["x1"])
            left, right = (other, flight) if swapped else (flight, other)
            constants = [(np.float32(q.scale), np.uint8(q.zero_point + 128)) for q in (a, b, y)]
            inputs = ["l", *constants[0], "r", *constants[1], *constants[2]]
            expected = ort("QLinearAdd", inputs, {"l": left, "r": right}, "com.microsoft")
            np.testing.assert_array_equal(result, expected)


REAL_RESULTS = {
    **dict.fromkeys((BinaryOp.ADD, BinaryOp.REAL_ADD), np.add),
    **dict.fromkeys((BinaryOp.MUL, BinaryOp.REAL_MUL), np.multiply),
    BinaryOp.SUB: np.subtract, BinaryOp.DIV: np.divide, BinaryOp.MAX: np.maximum, BinaryOp.MIN: np.minimum,
    BinaryOp.PRELU: lambda x, slope: np.where(x > 0, x, x * slope),
}  # fmt: skip


@pytest.mark.parametrize("op", list(BinaryOp))
@pytest.mark.parametrize(
    ("broadcast", "shape"),
    [(Broadcast.NONE, (7, 9, 4)), (Broadcast.CHANNEL, (1, 1, 4)), (Broadcast.SCALAR, (1, 1, 1))],
)
def test_constants_as_second_operand_are_exact_reals_rounded_once(
    op: BinaryOp, broadcast: Broadcast, shape: tuple[int, int, int]
) -> None:
    """Scales are powers of two, so float64 is exact in any order; an even zero point keeps ties."""
    case = Single(SOURCE, SOURCE, 1)
    values = np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8)
    a, b, y = quant(0.5, 3), quant(0.25, -4), quant(2.0, 6)
    number = case.builder.parameters(ConstantSections(binary_values=values, binary_lookup=table(2)))
    step = binary_step(op, None, broadcast, (a, b, y), clamp=(-90, 100), has_lookup=True)
    result = case.run(Combine(0, Wait(), case.source, case.target, number, step))
    left = (case.values["x0"].astype(np.float64) - 3) * 0.5
    right = (values.astype(np.float64).transpose(2, 0, 1) + 4) * 0.25
    with np.errstate(divide="ignore", invalid="ignore"):
        real = REAL_RESULTS[op](left, right)
    known = ~np.isnan(real)
    clamped = np.clip(np.rint(np.where(known, real, 0) / 2.0) + 6, -90, 100).astype(int)
    assert known.mean() > 0.99
    np.testing.assert_array_equal(result[known], table(2)[clamped + 128][known])


def test_way_out_is_requantize_clamp_lookup_operand_clamp_lookup() -> None:
    """Identity weights, so that each step shows: q -> q + 3, clamp, table, minus operand, clamp, table."""
    case = Single((3, 2, 2, 4), (3, 2, 2, 4), 16, (3, 2, 2, 4))
    sections = ConstantSections(
        weights=np.eye(4, dtype=np.int8).reshape(4, 1, 1, 4),
        bias=np.zeros(4, np.int32),
        multipliers=np.ones(4, np.float32),
        lookup=table(3),
        binary_lookup=table(4),
    )
    number = case.builder.parameters(sections)
    unit = quant(1, 0)
    quants = (unit, unit, quant(1, 1))
    step = binary_step(BinaryOp.SUB, case.operands[0], Broadcast.NONE, quants, clamp=(-100, 90), has_lookup=True)
    plain = convolve(case.source, case.target, number, WINDOWS[0], (0, quant(1, 3)))
    command = replace(plain, clamp=(-50, 60), way_out=WayOut.LOOKUP, binary=step)
    inner = table(3)[np.clip(case.values["x0"].astype(int) + 3, -50, 60) + 128].astype(int)
    outer = np.clip(inner - case.values["x1"].astype(int) + 1, -100, 90)
    np.testing.assert_array_equal(case.run(command), table(4)[outer + 128])


@pytest.mark.parametrize("way_out", [WayOut.REAL, WayOut.REAL_LOOKUP])
def test_a_real_bias_is_added_to_reals(way_out: WayOut) -> None:
    """(q x 0.5 + bias) / 0.25 + 3: powers of two, so that float64 is exact; ties go to even."""
    case = Single((3, 2, 2, 4), (3, 2, 2, 4), 16)
    bias = np.array([0.125, -3.0, 0.0625, 100.0], np.float32)
    sections = ConstantSections(
        weights=np.eye(4, dtype=np.int8).reshape(4, 1, 1, 4),
        real_bias=bias,
        multipliers=np.full(4, 0.5, np.float32),
        lookup=table(3) if way_out is WayOut.REAL_LOOKUP else None,
    )
    number = case.builder.parameters(sections)
    plain = convolve(case.source, case.target, number, WINDOWS[0], (0, quant(0.25, 3)))
    result = case.run(replace(plain, clamp=(-90, 120), way_out=way_out))
    reals = (case.values["x0"].astype(np.float64) * 0.5 + bias.reshape(4, 1, 1)) / 0.25
    expected = np.clip(np.rint(reals) + 3, -90, 120).astype(int)
    np.testing.assert_array_equal(result, table(3)[expected + 128] if way_out is WayOut.REAL_LOOKUP else expected)


@pytest.mark.parametrize("window", [replace(w, dilations=(1, 1)) for w in WINDOWS[1:4]] + [WINDOWS[5]])
def test_max_pool_equals_onnxruntime(window: Window) -> None:
    case = Single(SOURCE, (3, *output_size(SOURCE, window), 4), 16)
    command = pool(case, PoolKind.MAX, window, quant(1, 0), quant(1, 0))
    expected = ort(
        "MaxPool", ["x"], {"x": unsigned(case.values["x0"])},
        kernel_shape=window.kernel, strides=window.strides, pads=window.pads,
    )  # fmt: skip
    np.testing.assert_array_equal(case.run(command), expected)


def pool(
    case: Single,
    kind: PoolKind,
    window: Window,
    source: Quantization,
    target: Quantization,
    *,
    count: bool = False,
    whole: bool = False,
) -> Pool:
    return Pool(
        0, Wait(), kind, case.source, case.target, -1, window, count, whole, source, target, FULL, has_lookup=False
    )


def test_global_average_equals_onnxruntime() -> None:
    case = Single(SOURCE, (3, 1, 1, 4), 16)
    a, y = quant(0.031, 5), quant(0.013, -11)
    result = case.run(pool(case, PoolKind.AVERAGE, WINDOWS[0], a, y, whole=True))
    expected = ort(
        "QLinearGlobalAveragePool",
        ["x", np.float32(a.scale), np.uint8(133), np.float32(y.scale), np.uint8(117)],
        {"x": unsigned(case.values["x0"])}, "com.microsoft", channels_last=0,
    )  # fmt: skip
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("count", [False, True])
@pytest.mark.parametrize("window", [*WINDOWS[1:4], WINDOWS[5]])
def test_average_pool_divides_by_the_cells_that_count(window: Window, count: bool) -> None:
    """Scales are powers of two; the mean as a fraction, rounded half to even, cell by cell."""
    case = Single(SOURCE, (3, *output_size(SOURCE, window), 4), 1)
    result = case.run(pool(case, PoolKind.AVERAGE, window, quant(0.5, 3), quant(0.25, -1), count=count))
    centred = case.values["x0"].astype(int) - 3
    top, left = window.pads[:2]
    for (row, column), sample in product(np.ndindex(*result.shape[2:]), range(3)):
        first, second = row * window.strides[0] - top, column * window.strides[1] - left
        rows = range(max(first, 0), min(first + window.kernel[0], 7))
        columns = range(max(second, 0), min(second + window.kernel[1], 9))
        cells = window.kernel[0] * window.kernel[1] if count else len(rows) * len(columns)
        for channel in range(4):
            total = sum(int(centred[sample, channel, r, c]) for r in rows for c in columns)
            value = round(float(np.float32(total * 0.5) / np.float32(cells)) / 0.25 + 127) - 128
            assert result[sample, channel, row, column] == max(-128, min(127, value))


@pytest.mark.parametrize("lanes", [1, 16])
def test_translate_and_pool_lookup(lanes: int) -> None:
    case = Single(SOURCE, SOURCE, lanes)
    number = case.builder.parameters(ConstantSections(lookup=table(5)))
    expected = table(5)[case.values["x0"].astype(int) + 128]
    np.testing.assert_array_equal(case.run(Translate(0, Wait(), case.source, case.target, number)), expected)
    case = Single(SOURCE, SOURCE, lanes)
    number = case.builder.parameters(ConstantSections(lookup=table(5)))
    plain = pool(case, PoolKind.MAX, WINDOWS[0], quant(1, 0), quant(1, 0))
    command = replace(plain, parameters=number, has_lookup=True)
    np.testing.assert_array_equal(case.run(command), expected)


@pytest.mark.parametrize("has_lookup", [False, True])
def test_resample(has_lookup: bool) -> None:
    case = Single(SOURCE, (3, 5, 12, 4), 16)
    rows, columns = np.array([6, 0, 0, 3, 5], np.int32), np.arange(12, dtype=np.int32) * 2 // 3
    lookup = table(6) if has_lookup else None
    number = case.builder.parameters(ConstantSections(lookup=lookup, rows=rows, columns=columns))
    result = case.run(Resample(0, Wait(), case.source, case.target, number, has_lookup))
    expected = case.values["x0"][:, :, rows][:, :, :, columns]
    np.testing.assert_array_equal(result, table(6)[expected.astype(int) + 128] if has_lookup else expected)


@pytest.mark.parametrize("has_lookup", [False, True])
def test_interpolate(has_lookup: bool) -> None:
    """Weights are quarters and scales powers of two, so float64 is exact in any order; zero points are even."""
    case = Single(SOURCE, (3, 5, 12, 4), 16)
    rows, columns = np.array([[6, 0, 0, 3, 5], [6, 1, 1, 4, 2]], np.int32), np.arange(24, dtype=np.int32).reshape(2, 12)
    columns = columns % case.source.columns
    weights = [np.array([q, [4 - x for x in q]], np.float32) / 4 for q in ([2, 1, 3, 4, 0], [0, 1, 2, 3] * 3)]
    sections = ConstantSections(
        lookup=table(6) if has_lookup else None, rows=rows, columns=columns, row_weights=weights[0],
        column_weights=weights[1],
    )  # fmt: skip
    number = case.builder.parameters(sections)
    command = Interpolate(
        layer=0, wait=Wait(), source=case.source, target=case.target, parameters=number, input=quant(0.5, 3),
        output=quant(0.25, -6), clamp=(-90, 100), has_lookup=has_lookup,
    )  # fmt: skip
    real = (case.values["x0"].astype(np.float64) - 3) * 0.5
    total = sum(
        real[:, :, rows[i]][:, :, :, columns[j]] * weights[0][i][:, np.newaxis] * weights[1][j]
        for i in (0, 1)
        for j in (0, 1)
    )
    expected = np.clip(np.rint(total / 0.25) - 6, -90, 100).astype(int)
    np.testing.assert_array_equal(case.run(command), table(6)[expected + 128] if has_lookup else expected)


def test_gather_transposes_and_looks_up() -> None:
    case = Single(SOURCE, (3, 9, 7, 4), 1)
    number = case.builder.parameters(ConstantSections(lookup=table(7)))
    command = Gather(
        0, Wait(), case.source.buffer, 0, case.target.buffer, 0, (3, 7, 9, 4), (252, 36, 4, 1), (252, 4, 28, 1), number
    )
    expected = table(7)[case.values["x0"].transpose(0, 1, 3, 2).astype(int) + 128]
    np.testing.assert_array_equal(case.run(command), expected)


def test_fill_and_padding_write_what_they_say() -> None:
    """The padding of HWC16 holds the output's zero point; a store of whole pixels shows it."""
    case = Single(SOURCE, SOURCE, 16)
    builder, target = case.builder, case.target
    wide = builder.tensor("w", Role.OUTPUT, (3, 7, 9, 16), quant(1, 0))
    step = binary_step(BinaryOp.ADD, case.source, Broadcast.NONE, (quant(1, 0), quant(1, 0), quant(1, 33)))
    builder.compute(Combine(0, Wait(), case.source, target, None, step))
    builder.compute(Fill(0, Wait(), replace(target, channels=2, padding=0), -77))
    builder.store(case.output, target)
    builder.store(wide, replace(target, channels=16))
    result = run_lm(encode(builder.program()), case.values)["w"]
    assert (result[:, :2] == -77).all()
    assert (result[:, 4:] == 33).all()


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        (Window((3, 1), (1, 1), (1, 1), (0, 0, 1, 0)), "the window reaches 9 cells along axis 0, the source has 8"),
        (Window((1, 1), (1, 1), (0, 1), (0, 0, 0, 0)), "at least 1"),
        (Window((1, 1), (1, 1), (1, 1), (2**40, 0, 0, 0)), "larger than"),
    ],
)
def test_windows_that_leave_their_source_or_make_no_sense_are_refused(window: Window, sentence: str) -> None:
    case = Single(SOURCE, (3, 7, 9, 4), 1)
    with pytest.raises(ExecutionError, match=sentence):
        case.run(pool(case, PoolKind.MAX, window, quant(1, 0), quant(1, 0)))


def test_operands_that_do_not_spread_are_refused() -> None:
    case = Single(SOURCE, SOURCE, 1, (3, 7, 3, 4))
    step = binary_step(BinaryOp.ADD, case.operands[0], Broadcast.NONE, (quant(1, 0), quant(1, 0), quant(1, 0)))
    with pytest.raises(ExecutionError, match="does not spread"):
        case.run(Combine(0, Wait(), case.source, case.target, None, step))


def test_constants_survive_packing_and_are_aligned() -> None:
    rng = np.random.default_rng(9)
    sections = ConstantSections(
        weights=rng.integers(-128, 128, (6, 3, 3, 2)).astype(np.int8),
        bias=rng.integers(-9, 9, 6).astype(np.int32),
        multipliers=rng.random(6).astype(np.float32),
        lookup=table(1),
        binary_values=rng.integers(-128, 128, (1, 1, 6)).astype(np.int8),
        binary_lookup=table(2),
    )
    unit, target = quant(1, 0), Operand(1, 0, 1, 2, 2, 6, 24, 12, 6)
    step = binary_step(BinaryOp.MUL, None, Broadcast.CHANNEL, (unit, unit, unit), has_lookup=True)
    plain = convolve(replace(target, channels=4), target, 2, WINDOWS[1], (0, unit), groups=2)
    command = replace(plain, way_out=WayOut.LOOKUP, binary=step)
    data = pack_constants(sections)
    for name, start in (("weights", 0), ("bias", 112), ("multipliers", 144), ("lookup", 176)):
        stored = getattr(sections, name).tobytes()
        assert data[start : start + len(stored)] == stored
    found = unpack_constants(data + b"tail", command)
    for name in ("weights", "bias", "multipliers", "lookup", "binary_values", "binary_lookup"):
        np.testing.assert_array_equal(getattr(found, name), getattr(sections, name))
    assert found.rows is None
