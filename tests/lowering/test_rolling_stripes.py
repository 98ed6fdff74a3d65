"""Rows that roll down a group of layers, against sets of rows kept by hand; and networks of every shape of group."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
import pytest

from sima_compiler import Machine
from sima_compiler.frontend.onnx_qdq import graph_from_onnx
from sima_compiler.ir.layers import Copy, Layer, Segment
from sima_compiler.ir.program import Gather, LoadConstants
from sima_compiler.ir.tiles import Tiling
from sima_compiler.pipeline import lower
from sima_compiler.stages.tile import TileOptions, tile
from sima_compiler.stages.tiling.block.geometry import Region
from sima_compiler.stages.tiling.block.reach import input_region
from sima_compiler.stages.tiling.cuts.rolling import Frames, roll
from sima_compiler.stages.tiling.cuts.row_reach import RowReach
from tests.networks.float_net import FloatNet
from tests.networks.topologies import unet
from tests.support.judges import assert_judges_agree
from tests.support.qdq_writer import Style, write_qdq

MACHINE = Machine.load("tiny")


def segment_of(network: onnx.ModelProto) -> Segment:
    (segment,) = lower(graph_from_onnx(write_qdq(network, 7, Style()), "net"), MACHINE).segments
    return segment


def residual() -> onnx.ModelProto:
    """A map that two windows and an addition read, and that leaves the group too."""
    net = FloatNet(11)
    x = net.unary("Relu", net.conv(net.input((4, 48, 24)), 16, 3))
    for _ in range(2):
        x = net.binary("Add", net.conv(net.conv(x, 16, 3), 16, (5, 1)), x)
    y = net.pool("MaxPool", x, 3, stride=2, pads=(1, 1, 1, 1))
    return net.model([net.conv(y, 8, 3, stride=2), net.unary("Sigmoid", x)], "residual")


def branches() -> onnx.ModelProto:
    """Windows of different reach and dilation, joined; a depthwise one; twice as many rows at the end."""
    net = FloatNet(12)
    x = net.conv(net.input((8, 64, 30)), 16, 3)
    parts = [net.conv(x, 16, 1), net.conv(x, 16, 3, dilation=3), net.conv(x, 16, (7, 1), groups=16)]
    y = net.concat([*parts, x])
    y = net.upsample(net.conv(y, 16, 3))
    return net.model([net.conv(net.binary("Mul", y, net.unary("Sigmoid", y)), 8, 3)], "branches")


def strides() -> onnx.ModelProto:
    """Strides beyond the window leave rows that nobody reads; pads beyond it, rows that read nothing but pads."""
    net = FloatNet(13)
    x = net.conv(net.input((8, 61, 20)), 32, 3)
    x = net.conv(net.conv(x, 16, 1, stride=(3, 1)), 32, 3, pads=(2, 1, 2, 1))
    x = net.conv(net.conv(x, 32, 3), 16, 1, pads=(1, 0, 1, 0))
    return net.model([net.conv(x, 8, 3)], "strides")


def early() -> onnx.ModelProto:
    """Layers that finish before others in front of them: windows behind them reach far ahead."""
    net = FloatNet(14)
    x = net.conv(net.input((8, 61, 24)), 16, 3)
    short, long = net.conv(x, 16, 1), net.conv(net.conv(x, 16, 3), 16, (17, 1))
    return net.model([net.conv(net.binary("Add", short, long), 8, 3)], "early")


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "unet": lambda: unet(64, 16),
    "residual": residual,
    "branches": branches,
    "strides": strides,
    "early": early,
}


def rows_read(segment: Segment, layer: Layer, row: int) -> dict[str, set[int]]:
    """Rows of each input that one output row reads, by the definition for blocks."""
    target = segment.maps[layer.output]
    line = Region((0, 1), (row, row + 1), (0, target.columns), (0, target.channels))
    found: dict[str, set[int]] = {}
    for index, name in enumerate(layer.inputs):
        found.setdefault(name, set()).update(range(*input_region(layer, index, segment.maps[name], target, line).rows))
    return found


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_row_is_computed_once_from_rows_that_are_there(name: str) -> None:
    segment = segment_of(NETWORKS[name]())
    dice, rolled = random.Random(name), 0
    for _ in range(25):
        first = dice.randrange(len(segment.layers) - 1)
        last = dice.randrange(first + 1, min(first + 9, len(segment.layers)))
        layers = segment.layers[first : last + 1]
        frames = roll(RowReach(segment), layers, dice.choice((1, 2, 5, 16)))
        if frames is not None:
            rolled += 1
            check(segment, layers, frames)
    assert rolled >= 10


def check(segment: Segment, layers: Sequence[Layer], frames: Sequence[Frames]) -> None:
    """Walks the stripes with the rows that exist in sets."""
    held: dict[str, set[int]] = {layer.output: set() for layer in layers}
    done: dict[str, int] = dict.fromkeys(held, 0)
    for stripe in frames:
        for layer in layers:
            frame = stripe[layer.output]
            assert frame.fresh == done[layer.output]
            if not frame.computed:
                continue
            kept = set(range(frame.rows[0], frame.fresh))
            assert kept <= held[layer.output]
            for row in range(frame.fresh, frame.rows[1]):
                for source, wanted in rows_read(segment, layer, row).items():
                    assert source not in held or wanted <= held[source]
            held[layer.output] = set(range(*frame.rows))
            done[layer.output] = frame.rows[1]
    assert done == {layer.output: segment.maps[layer.output].rows for layer in layers}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_groups_of_every_shape_agree_with_every_judge(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.onnx"
    path.write_bytes(write_qdq(NETWORKS[name](), 7, Style()).SerializeToString())
    assert_judges_agree(path, tmp_path, batch=2, compress=True, machine="tiny")


@pytest.mark.parametrize(("name", "quads"), [("unet", 2), ("residual", 1), ("branches", 2)])
def test_rows_at_the_border_of_stripes_are_copied_and_not_computed_again(name: str, quads: int) -> None:
    segment = segment_of(NETWORKS[name]())
    found = tile(segment, MACHINE, TileOptions(quads, 1, MACHINE.sram_bytes(quads), longest_group=12))
    assert isinstance(found, Tiling)
    assert found.fused
    computed, copied = dict.fromkeys(range(len(segment.layers)), 0), 0
    for step in found.steps:
        if isinstance(step, Gather):
            copied += not isinstance(segment.layers[step.layer].kernel, Copy)
        else:
            computed[step.layer] += step.target.rows * step.target.columns * step.target.channels
    assert copied >= 10
    for index, layer in enumerate(segment.layers):
        if not isinstance(layer.kernel, Copy):
            assert computed[index] == segment.maps[layer.output].elements


def test_weights_stay_until_all_layers_in_front_are_done() -> None:
    """The capacity bound rests on it: weights behind a cut are on chip, or still to come, when all in front is done."""
    segment, early = segment_of(NETWORKS["early"]()), 0
    for capacity in range(16_000, 64_000, 3_000):
        found = tile(segment, MACHINE, TileOptions(2, 1, capacity, longest_group=12))
        assert isinstance(found, Tiling)
        done = {step.layer: number for number, step in enumerate(found.steps)}
        for load in found.loads:
            if isinstance(load.command, LoadConstants) and load.command.layer:
                layer, buffer = load.command.layer, found.buffers[load.command.buffer]
                in_front = max(done[other] for other in range(layer))
                early += done[layer] < in_front
                assert buffer.last >= in_front
    assert early
