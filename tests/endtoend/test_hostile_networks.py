"""Networks that users send and nobody draws by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Machine, Model
from sima_compiler.frontend.onnx_qdq import graph_from_onnx
from sima_compiler.ir.tiles import Tiling
from sima_compiler.ir.verify_plan import verify_tiling
from sima_compiler.pipeline import ConstantStore, Plan, Target, lower, plan
from sima_compiler.stages.tile import TileOptions, tile
from tests.networks.float_net import FloatNet
from tests.support.judges import assert_judges_agree
from tests.support.qdq_writer import Style, write_qdq


def _stride_beyond_window(net: FloatNet) -> str:
    large = net.conv(net.conv(net.input((16, 64, 64)), 16), 16)
    return net.conv(large, 16, stride=4, pads=(0, 0, 0, 0))


def _pool_of_odd_rows(net: FloatNet) -> str:
    large = net.conv(net.conv(net.input((16, 65, 64)), 16), 16)
    return net.pool("MaxPool", large, 2)


def _stripes_of_padding(net: FloatNet) -> str:
    image = net.input((16, 5, 10))
    mixed = net.unary("Relu", net.binary("Mul", image, net.unary("HardSigmoid", image)))
    pads = net.constant(np.array([0, 0, 4, 0, 0, 0, 4, 0], np.int64), "pads")
    padded = net.node("Pad", [mixed, pads], (16, 13, 10), mode="constant")
    return net.conv(padded, 32, (4, 1), stride=3, pads=(3, 0, 3, 0), groups=8)


NETWORKS: dict[str, Callable[[FloatNet], str]] = {
    "stride_beyond_window": _stride_beyond_window,
    "pool_of_odd_rows": _pool_of_odd_rows,
    "stripes_of_padding": _stripes_of_padding,
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_rows_that_nobody_reads_are_computed_all_the_same(name: str) -> None:
    """In groups of fused layers too: the bounds count every row."""
    net = FloatNet(3)
    machine = Machine.load("tiny")
    (segment,) = lower(
        graph_from_onnx(write_qdq(net.model([NETWORKS[name](net)], name), 3, Style()), name), machine
    ).segments
    for capacity in (4, 5, 6, 8, 16, 24, 32, 48, 64):
        found = tile(segment, machine, TileOptions(machine.quads, 1, capacity * 1024, longest_group=12))
        assert isinstance(found, Tiling)
        verify_tiling(found, segment)


@pytest.mark.parametrize("sram", [20_480, 32_768])
def test_wide_groups_fit_into_little_memory(tmp_path: Path, sram: int) -> None:
    """A block holds a whole group's weights; on a small chip only one of them at a time."""
    net = FloatNet(3)
    network = net.model([net.conv(net.conv(net.input((64, 9, 9)), 96, 3, groups=2), 34, 3, groups=2)], "groups")
    machine = tmp_path / "small.yaml"
    text = Machine.load("tiny").text.replace("sram_bytes_per_quad: 32768", f"sram_bytes_per_quad: {sram}")
    machine.write_text(text.replace("quads: 2", "quads: 1"), encoding="utf-8")
    original = write_qdq(network, 3, Style())
    for batch in (1, 3):
        assert_judges_agree(original, tmp_path, batch=batch, compress=False, machine=str(machine))


def test_blocks_of_half_a_vector_leave_no_hole_in_dram(tmp_path: Path) -> None:
    """Groups of 12 outputs are stored one by one; whoever loads whole pixels reads the padding behind the second."""
    net = FloatNet(3)
    grouped = net.conv(net.input((32, 15, 15)), 24, 3, groups=2)
    network = net.model([net.concat([grouped, net.unary("Relu", grouped)])], "halves")
    machine = tmp_path / "small.yaml"
    text = Machine.load("tiny").text.replace("sram_bytes_per_quad: 32768", "sram_bytes_per_quad: 8192")
    machine.write_text(text.replace("quads: 2", "quads: 1"), encoding="utf-8")
    original = write_qdq(network, 3, Style())
    assert_judges_agree(original, tmp_path, batch=1, compress=False, machine=str(machine))


def test_a_layer_at_the_border_keeps_no_more_parameters_than_fit(tmp_path: Path) -> None:
    """Its stripes would share the parameters of all channel blocks, each with tables of its own."""
    net = FloatNet(3)
    image = net.input((32, 3, 2))
    network = net.model([net.unary("Sigmoid", net.binary("Add", net.conv(image, 32), image))], "border")
    machine = tmp_path / "small.yaml"
    text = Machine.load("tiny").text.replace("sram_bytes_per_quad: 32768", "sram_bytes_per_quad: 8192")
    machine.write_text(text.replace("accumulator_pixels: 64", "accumulator_pixels: 16"), encoding="utf-8")
    original = write_qdq(network, 3, Style())
    model = Model.from_onnx(original, "border")
    (segment,) = lower(model.graph, Machine.load(machine)).segments
    target = Target(Machine.load(machine), 1, compress=False)
    assert isinstance(plan(segment, target, 1, ConstantStore(compress=False)), Plan)
    assert_judges_agree(original, tmp_path, batch=1, compress=False, machine=str(machine))
