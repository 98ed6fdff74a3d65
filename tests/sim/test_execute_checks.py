"""Each check of the modelled machine is provoked by a hand-written bad program; the right program passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sima_compiler.errors import ExecutionError, InputError
from sima_compiler.ir.layers import BinaryOp, Broadcast
from sima_compiler.ir.program import (
    Combine,
    DramTensor,
    Gather,
    Operand,
    Program,
    Resample,
    Role,
    Translate,
    Wait,
)
from sima_compiler.lm.constants import ConstantSections
from sima_compiler.lm.reader import decode
from sima_compiler.lm.writer import encode
from sima_compiler.sim.execute import Order, dequantize_outputs, quantize_inputs, run_lm
from tests.sim.small_programs import ProgramBuilder, Shape, binary_step, convolution_program, quant, random_map

SHAPE: Shape = (2, 3, 4, 5)
BYTES = 2 * 3 * 4 * 5
Q = quant(0.5, 2)


def shape_of(tensor: DramTensor) -> Shape:
    return tensor.samples, tensor.rows, tensor.columns, tensor.channels


def run(builder: ProgramBuilder | Program, order: Order = Order.DMA_FIRST) -> dict[str, np.ndarray]:
    program = builder if isinstance(builder, Program) else builder.program()
    inputs = {
        tensor.name: random_map(np.random.default_rng(number), shape_of(tensor))
        for number, tensor in enumerate(program.tensors)
        if tensor.role is Role.INPUT
    }
    return run_lm(encode(program), inputs, order)


def copy(builder: ProgramBuilder, source: Operand, target: Operand) -> Gather:
    """Everything of one map to another of the same shape."""
    sizes = (source.samples, source.rows, source.columns, source.channels)
    return Gather(
        0, Wait(), source.buffer, source.offset, target.buffer, target.offset, sizes,
        (source.sample_stride, source.row_stride, source.pixel_stride, 1),
        (target.sample_stride, target.row_stride, target.pixel_stride, 1), -1,
    )  # fmt: skip


def chain(middle_address: int | None = None) -> tuple[ProgramBuilder, tuple[Operand, Operand, Operand]]:
    """x -> a -> b -> c -> y by copies, waits right; b's address can be forced."""
    builder = ProgramBuilder(2)
    x = builder.tensor("x", Role.INPUT, SHAPE, Q)
    y = builder.tensor("y", Role.OUTPUT, SHAPE, Q)
    first, second = builder.operand(SHAPE), builder.operand(SHAPE, address=middle_address)
    third = builder.operand(SHAPE)
    builder.load(x, first)
    builder.compute(copy(builder, first, second))
    builder.compute(copy(builder, second, third))
    builder.store(y, third)
    return builder, (first, second, third)


@pytest.mark.parametrize("order", list(Order))
def test_the_right_program_passes_in_every_order(order: Order) -> None:
    builder, _ = chain()
    values = random_map(np.random.default_rng(0), SHAPE)
    result = run_lm(encode(builder.program()), {"x": values}, order)
    np.testing.assert_array_equal(result["y"], values)
    full = convolution_program(np.random.default_rng(1), compressed=True).program()
    raw = convolution_program(np.random.default_rng(1), compressed=False).program()
    np.testing.assert_array_equal(run(full, order)["y"], run(raw)["y"])


def without_wait(stream: int, position: int) -> ProgramBuilder:
    builder, _ = chain()
    builder.streams[stream][position] = replace(builder.streams[stream][position], wait=Wait())
    return builder


@pytest.mark.parametrize(("stream", "position", "order"), [(2, 0, Order.COMPUTE_FIRST), (1, 0, Order.DMA_FIRST)])
def test_a_missing_wait_is_caught(stream: int, position: int, order: Order) -> None:
    with pytest.raises(ExecutionError, match=r"command 0 .*never written"):
        run(without_wait(stream, position), order)


def test_a_missing_wait_before_reusing_a_buffer_is_caught_by_the_order_that_exploits_it() -> None:
    """A second load into the same addresses must wait until the first map was copied away."""
    builder = ProgramBuilder(2)
    x, y = (builder.tensor(name, Role.INPUT, SHAPE, Q) for name in "xy")
    z = builder.tensor("z", Role.OUTPUT, SHAPE, Q)
    first, target = builder.operand(SHAPE), builder.operand(SHAPE)
    again = builder.operand(SHAPE, address=0)
    builder.load(x, first)
    builder.compute(copy(builder, first, target))
    builder.load(y, again, Wait(compute=1))
    builder.compute(copy(builder, again, target), Wait(dma_in=2))
    builder.store(z, target)
    assert run(builder)["z"].shape == (2, 5, 3, 4)
    builder.streams[0][1] = replace(builder.streams[0][1], wait=Wait())
    with pytest.raises(ExecutionError, match=r"DMA_IN command 1 .*destroy bytes of buffer 'b0'.*1 more command"):
        run(builder, Order.DMA_FIRST)


def test_overlapping_buffers_are_caught_on_write() -> None:
    builder, (first, _, _) = chain(middle_address=BYTES // 2)
    assert first.buffer == 0
    with pytest.raises(ExecutionError, match=r"command 0 .*write to buffer 'b1' would destroy bytes of buffer 'b0'"):
        run(builder)


def test_a_buffer_on_another_ones_addresses_must_wait_for_its_readers() -> None:
    """b2 lies on b0, which a store reads: too late it finds the bytes gone, early it races with the writer of b2."""
    builder, (first, _, _) = chain()
    program = builder.program()
    moved = replace(program.buffers[2], address=program.buffers[0].address)
    late = replace(program.dma_out[0], buffer=first.buffer)
    program = replace(program, buffers=(*program.buffers[:2], moved), dma_out=(late,))
    with pytest.raises(ExecutionError, match=r"destroy bytes of buffer 'b0'"):
        run(program)
    unread = replace(program, dma_out=(replace(late, wait=Wait(dma_in=1)),))
    with pytest.raises(ExecutionError, match="a race"):
        run(unread)


def test_stale_bytes_of_another_buffer_cannot_be_read() -> None:
    """The third map lies where the first one was; one sample less is copied into it than is stored from it."""
    builder, (first, second, third) = chain()
    again = builder.buffer(BYTES, address=0)
    short = replace(copy(builder, second, replace(third, buffer=again)), sizes=(1, 3, 4, 5), wait=Wait(dma_in=1))
    builder.streams[2][1] = short
    builder.streams[1][0] = replace(builder.streams[1][0], buffer=again)
    with pytest.raises(ExecutionError, match=r"60 of 120 bytes are not its own \(last written by buffer 'b0'\)"):
        run(builder)
    builder.streams[2][1] = replace(short, sizes=(2, 3, 4, 5))
    assert run(builder)["y"].shape == (2, 5, 3, 4)
    assert first.buffer == 0


def test_reading_what_nobody_wrote_is_caught() -> None:
    builder, _ = chain()
    load = builder.streams[0][0]
    builder.streams[0][0] = replace(load, box=replace(load.box, sizes=(2, 3, 3, 5)))
    with pytest.raises(ExecutionError, match=r"30 of 120 bytes are not its own \(never written\)"):
        run(builder)


def test_an_output_that_is_not_complete_is_caught() -> None:
    builder, _ = chain()
    store = builder.streams[1][0]
    builder.streams[1][0] = replace(store, box=replace(store.box, sizes=(1, 3, 4, 5)))
    with pytest.raises(ExecutionError, match=r"after the last command: read of tensor 'y': 60 of 120"):
        run(builder)


def test_loading_a_spill_that_was_not_stored_is_caught() -> None:
    builder, _ = chain()
    spill = builder.tensor("s", Role.SPILL, SHAPE, Q)
    builder.streams[0][0] = replace(builder.streams[0][0], tensor=spill)
    with pytest.raises(ExecutionError, match=r"read of tensor 's': .*never written"):
        run(builder)


def moved(change: Callable[[Operand], Operand]) -> ProgramBuilder:
    """A translation whose target operand was changed."""
    builder = ProgramBuilder(2)
    x, y = builder.tensor("x", Role.INPUT, SHAPE, Q), builder.tensor("y", Role.OUTPUT, SHAPE, Q)
    source, target = builder.operand(SHAPE), builder.operand(SHAPE)
    builder.load(x, source)
    table = builder.parameters(ConstantSections(lookup=np.arange(-128, 128).astype(np.int8)))
    builder.compute(Translate(0, Wait(), source, change(target), table))
    builder.store(y, target)
    return builder


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"offset": 1}, r"write of buffer 'b1': bytes 1..120 of 120"),
        ({"sample_stride": 61}, r"bytes 0..120 of 120"),
        ({"padding": 1}, r"bytes 0..120 of 120"),
        ({"rows": 2}, r"result has shape \(2, 3, 4, 5\), the target \(2, 2, 4, 5\)"),
        ({"rows": 0}, r"\(2, 0, 4, 5\) is no region of bytes"),
        ({"rows": 2**40, "row_stride": 0}, r"is no region of bytes"),
    ],
)
def test_accesses_outside_a_buffer_and_wrong_shapes_are_caught(change: dict[str, int], sentence: str) -> None:
    run(moved(lambda target: target))
    with pytest.raises(ExecutionError, match=sentence):
        run(moved(lambda target: replace(target, **change)))


def test_a_negative_stride_may_not_leave_the_buffer() -> None:
    builder, (first, second, _) = chain()
    flip = replace(copy(builder, first, second), wait=Wait(dma_in=1), source_strides=(60, -20, 5, 1))
    builder.streams[2][0] = flip
    with pytest.raises(ExecutionError, match=r"read of buffer 'b0': bytes -40..79 of 120"):
        run(builder)
    builder.streams[2][0] = replace(flip, source_offset=40)
    values = random_map(np.random.default_rng(0), SHAPE)
    result = run_lm(encode(builder.program()), {"x": values})
    np.testing.assert_array_equal(result["y"], values[:, :, ::-1])


def test_a_buffer_beyond_on_chip_memory_is_caught() -> None:
    builder, _ = chain(middle_address=65536 - 64)
    with pytest.raises(ExecutionError, match="ends at byte 65592 of on-chip memory, which has 65536"):
        run(builder)


def test_more_quads_than_the_machine_has_are_refused() -> None:
    with pytest.raises(ExecutionError, match="uses 3 quads, tiny has 2"):
        run(replace(chain()[0].program(), quads=3))


def test_a_deadlock_names_the_stuck_commands() -> None:
    builder, _ = chain()
    builder.streams[0][0] = replace(builder.streams[0][0], wait=Wait(dma_out=1))
    with pytest.raises(ExecutionError, match="deadlock") as caught:
        run(builder)
    for part in (
        "DMA_IN command 0 (LoadTensor",
        "DMA_OUT command 0 (StoreTensor",
        "COMPUTE command 0 (Gather",
        "out 1",
    ):
        assert part in caught.value.message
    builder.streams[0][0] = replace(builder.streams[0][0], wait=Wait())
    builder.streams[1][0] = replace(builder.streams[1][0], wait=Wait(compute=9))
    with pytest.raises(ExecutionError, match="DMA_IN has finished its 1; DMA_OUT command 0"):
        run(builder)


def test_missing_parameters_are_caught() -> None:
    builder = moved(lambda target: target)
    translate = builder.streams[2][0]
    step = binary_step(BinaryOp.ADD, None, Broadcast.SCALAR, (Q, Q, Q))
    builder.streams[2][0] = Combine(0, translate.wait, translate.source, translate.target, None, step)
    with pytest.raises(ExecutionError, match="1 bytes of parameters are needed and no buffer is named"):
        run(builder)
    builder.streams[2][0] = replace(translate, wait=Wait(dma_in=1))
    with pytest.raises(ExecutionError, match="read of buffer 'b2': 256 of 256"):
        run(builder, Order.COMPUTE_FIRST)


def test_index_tables_that_leave_the_source_are_caught() -> None:
    builder = ProgramBuilder(2)
    x, y = builder.tensor("x", Role.INPUT, SHAPE, Q), builder.tensor("y", Role.OUTPUT, (2, 6, 4, 5), Q)
    source, target = builder.operand(SHAPE), builder.operand((2, 6, 4, 5))
    builder.load(x, source)
    rows, columns = np.array([0, 0, 1, 1, 2, 3], np.int32), np.arange(4, dtype=np.int32)
    table = builder.parameters(ConstantSections(rows=rows, columns=columns))
    builder.compute(Resample(0, Wait(), source, target, table, has_lookup=False))
    builder.store(y, target)
    with pytest.raises(ExecutionError, match=r"a row table reaches 0..3, the source has 3 rows"):
        run(builder)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({}, "expected arrays for x, found none"),
        ({"z": np.zeros((2, 5, 3, 4), np.int8)}, "found z"),
        ({"x": np.zeros((1, 5, 3, 4), np.int8)}, r"expected int8 \(2, 5, 3, 4\)"),
        ({"x": np.zeros((2, 5, 3, 4), np.float32)}, "found float32"),
    ],
)
def test_arrays_that_do_not_fit_are_input_errors(inputs: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        run_lm(encode(chain()[0].program()), inputs)


def test_floats_enter_and_leave_through_the_tensor_table() -> None:
    data = encode(chain()[0].program())
    program = decode(data)
    real = np.random.default_rng(3).normal(0, 20, (2, 5, 3, 4)).astype(np.float32)
    real.flat[:3] = (1e9, -1e9, 0.25)
    result = dequantize_outputs(program, run_lm(data, quantize_inputs(program, {"x": real})))["y"]
    expected = (np.clip(np.rint(real / 0.5) + 2, -128, 127) - 2) * 0.5
    np.testing.assert_array_equal(result, expected.astype(np.float32))
    assert result.dtype == np.float32
    with pytest.raises(InputError):
        quantize_inputs(program, {"y": real})
