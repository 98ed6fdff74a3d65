"""Networks that users send and nobody draws by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sima_compiler import Machine
from sima_compiler.frontend.onnx_qdq import graph_from_onnx
from sima_compiler.ir.tiles import Tiling
from sima_compiler.ir.verify_plan import verify_tiling
from sima_compiler.pipeline import lower
from sima_compiler.stages.tile import TileOptions, tile
from tests.networks.float_net import FloatNet
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
