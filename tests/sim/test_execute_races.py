"""The race check: silent on ordered programs, loud when a wait goes, and exact about bytes that interleave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.program import Fill, Gather, LoadTensor, Operand, Program, Role, StoreTensor, Wait
from sima_compiler.lm.writer import encode
from sima_compiler.sim.execute import Order, run_lm
from sima_compiler.sim.races import Access, Stream, accesses, check_races
from tests.sim.small_programs import ProgramBuilder, Shape, convolution_program, quant, random_map

SHAPE: Shape = (2, 2, 3, 8)


def copied(builder: ProgramBuilder, source: Operand, target: Operand, wait: Wait) -> None:
    sizes = (source.samples, source.rows, source.columns, source.channels)
    first, second = ((o.sample_stride, o.row_stride, o.pixel_stride, 1) for o in (source, target))
    builder.compute(
        Gather(0, Wait(), source.buffer, source.offset, target.buffer, target.offset, sizes, first, second, None), wait
    )


def double_buffered() -> ProgramBuilder:
    """Two inputs through one buffer, one output: the second load reuses the same buffer under the same number."""
    builder = ProgramBuilder(2)
    inputs = [builder.tensor(name, Role.INPUT, SHAPE, quant(1, 0)) for name in "ab"]
    outputs = [builder.tensor(name, Role.OUTPUT, SHAPE, quant(1, 0)) for name in "yz"]
    source, first, second = (builder.operand(SHAPE) for _ in range(3))
    builder.load(inputs[0], source)
    copied(builder, source, first, Wait(dma_in=1))
    builder.load(inputs[1], source, Wait(compute=1))
    copied(builder, source, second, Wait(dma_in=2))
    builder.store(outputs[0], first, Wait(compute=1))
    builder.store(outputs[1], second, Wait(compute=2))
    return builder


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: random_map(rng, SHAPE) for name in "ab"}


@pytest.mark.parametrize("order", list(Order))
def test_ordered_programs_have_no_race(order: Order) -> None:
    values = arrays()
    result = run_lm(encode(double_buffered().program()), values, order)
    np.testing.assert_array_equal(result["y"], values["a"])
    np.testing.assert_array_equal(result["z"], values["b"])
    check_races(convolution_program(np.random.default_rng(0), compressed=True).program())


@pytest.mark.parametrize("order", list(Order))
def test_reuse_of_one_buffer_without_a_wait_is_an_error_in_every_order(order: Order) -> None:
    """The bytes carry the same buffer's tag, so that only the race check sees it when the order is kind."""
    builder = double_buffered()
    builder.streams[0][1] = replace(builder.streams[0][1], wait=Wait())
    with pytest.raises(ExecutionError) as caught:
        run_lm(encode(builder.program()), arrays(), order)
    assert "a race: COMPUTE command 0" in caught.value.message
    assert "DMA_IN command 1 (LoadTensor of MLA_0/layer_0)" in caught.value.message


def test_every_wait_of_the_program_is_needed() -> None:
    builder = double_buffered()
    for stream, commands in enumerate(builder.streams):
        for number, command in enumerate(commands):
            if command.wait == Wait():
                continue
            program = double_buffered()
            program.streams[stream][number] = replace(command, wait=Wait())
            if (stream, number) == (1, 1):
                program.streams[1][0] = replace(program.streams[1][0], wait=Wait())
            with pytest.raises(ExecutionError, match="a race"):
                check_races(program.program())


def test_order_may_pass_through_a_third_engine() -> None:
    """load -> copy -> store -> load into the same bytes: the second load waits for the store alone."""
    builder = ProgramBuilder(2)
    a, b = (builder.tensor(name, Role.INPUT, SHAPE, quant(1, 0)) for name in "ab")
    y = builder.tensor("y", Role.OUTPUT, SHAPE, quant(1, 0))
    source, target = builder.operand(SHAPE), builder.operand(SHAPE)
    builder.load(a, source)
    copied(builder, source, target, Wait(dma_in=1))
    builder.store(y, target, Wait(compute=1))
    builder.load(b, source, Wait(dma_out=1))
    check_races(builder.program())
    builder.streams[1][0] = replace(builder.streams[1][0], wait=Wait())
    with pytest.raises(ExecutionError, match="a race"):
        check_races(builder.program())


def test_channels_that_interleave_do_not_meet() -> None:
    """A load fills channels 0..7 of each pixel while compute fills 8..15: the ranges overlap, the bytes do not."""
    builder, wide = ProgramBuilder(2), (2, 2, 3, 16)
    a = builder.tensor("a", Role.INPUT, SHAPE, quant(1, 0))
    y = builder.tensor("y", Role.OUTPUT, wide, quant(1, 0))
    whole = builder.operand(wide)
    left, right = replace(whole, channels=8), replace(whole, channels=8, offset=8)
    builder.load(a, left)
    builder.compute(Fill(0, Wait(), right, 5), Wait())
    builder.store(y, whole, Wait(dma_in=1, compute=1))
    values = random_map(np.random.default_rng(1), SHAPE)
    result = run_lm(encode(builder.program()), {"a": values})["y"]
    np.testing.assert_array_equal(result[:, :8], values)
    assert (result[:, 8:] == 5).all()
    builder.streams[2][0] = replace(builder.streams[2][0], target=replace(right, offset=7))
    with pytest.raises(ExecutionError, match="a race"):
        check_races(builder.program())


def test_spills_race_in_dram_too() -> None:
    builder = ProgramBuilder(2)
    a = builder.tensor("a", Role.INPUT, SHAPE, quant(1, 0))
    spill = builder.tensor("s", Role.SPILL, SHAPE, quant(1, 0))
    source, back = builder.operand(SHAPE), builder.operand(SHAPE)
    builder.load(a, source)
    builder.store(spill, source, Wait(dma_in=1))
    builder.load(spill, back, Wait(dma_out=1))
    check_races(builder.program())
    builder.streams[0][1] = replace(builder.streams[0][1], wait=Wait())
    with pytest.raises(ExecutionError, match=r"DMA_OUT command 0 .* and DMA_IN command 1"):
        check_races(builder.program())
    assert isinstance(builder.streams[0][1], LoadTensor)
    assert isinstance(builder.streams[1][0], StoreTensor)


@pytest.mark.parametrize("seed", range(40))
def test_a_stream_finds_the_same_rival_as_a_comparison_of_all_pairs(seed: int) -> None:
    """The stream compares columns; the law compares every byte that two strided boxes touch."""
    random = np.random.default_rng(seed)
    program, commands = random_gathers(random, 12)
    stream = Stream(program, commands)
    for command in commands:
        for access in accesses(program, command):
            low, high = sorted(int(place) for place in random.integers(0, len(commands) + 1, 2))
            rivals = (number for number in range(low, high) if common_byte(access, accesses(program, commands[number])))
            assert stream.conflict(access, range(low, high)) == next(rivals, None)


def random_gathers(random: np.random.Generator, count: int) -> tuple[Program, list[Gather]]:
    """Gathers of interleaved channels in two small buffers."""
    builder = ProgramBuilder(2)
    buffers = [builder.operand((1, 1, 4, 8)).buffer for _ in range(2)]
    commands: list[Gather] = []
    for _ in range(count):
        source, target = (int(place) for place in random.permutation(buffers))
        offsets = [int(offset) for offset in random.integers(0, 8, 2)]
        sizes, strides = (int(random.integers(1, 4)), 2), (8, 4)
        commands.append(Gather(0, Wait(), source, offsets[0], target, offsets[1], sizes, strides, strides, None))
    return builder.program(), commands


def common_byte(one: Access, others: tuple[Access, ...]) -> bool:
    return any((one.writes or other.writes) and bool(bytes_of(one) & bytes_of(other)) for other in others)


def bytes_of(access: Access) -> set[int]:
    steps = np.indices(access.region.shape).reshape(len(access.region.shape), -1).T
    return {access.start + access.region.offset + int(step @ np.array(access.region.strides)) for step in steps}
