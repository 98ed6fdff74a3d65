"""Networks that users send and nobody draws by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sima_compiler import Machine, Model
from sima_compiler.frontend.onnx_qdq import graph_from_onnx
from sima_compiler.ir.tiles import Tiling
from sima_compiler.ir.verify_plan import verify_tiling
from sima_compiler.pipeline import lower
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


NETWORKS: dict[str, Callable[[FloatNet], str]] = {
    "stride_beyond_window": _stride_beyond_window,
    "pool_of_odd_rows": _pool_of_odd_rows,
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_rows_that_nobody_reads_are_computed_all_the_same(name: str) -> None:
    """In groups of fused layers too: the bounds count every row."""
    net = FloatNet(3)
    machine = Machine.load("tiny")
    (segment,) = lower(
        graph_from_onnx(write_qdq(net.model([NETWORKS[name](net)], name), 3, Style()), name), machine
    ).segments
    for capacity in range(8, 65, 8):
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
    model = Model.from_onnx(write_qdq(network, 3, Style()), "groups")
    for batch in (1, 3):
        assert_judges_agree(model, tmp_path, batch=batch, compress=False, machine=str(machine))
