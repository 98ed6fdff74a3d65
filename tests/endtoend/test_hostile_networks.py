"""Networks that users send and nobody draws by hand: every one compiles, and every judge agrees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sima_compiler import Model
from tests.networks.float_net import FloatNet
from tests.support.judges import assert_judges_agree
from tests.support.qdq_writer import Style, write_qdq


def _stride_beyond_window(net: FloatNet) -> str:
    large = net.conv(net.conv(net.input((16, 64, 64)), 16), 16)
    return net.conv(large, 16, stride=4, pads=(0, 0, 0, 0))


def _pool_of_odd_rows(net: FloatNet) -> str:
    large = net.conv(net.input((16, 63, 64)), 16)
    return net.pool("MaxPool", large, 2)


NETWORKS: dict[str, Callable[[FloatNet], str]] = {
    "stride_beyond_window": _stride_beyond_window,
    "pool_of_odd_rows": _pool_of_odd_rows,
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_rows_that_nobody_reads_are_no_obstacle(tmp_path: Path, name: str) -> None:
    net = FloatNet(3)
    model = Model.from_onnx(write_qdq(net.model([NETWORKS[name](net)], name), 3, Style()), name)
    for batch in (1, 2):
        assert_judges_agree(model, tmp_path, batch=batch, compress=False, machine="tiny")
