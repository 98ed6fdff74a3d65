"""Groups of 5 channels on maps larger than the memory: a block of one group ends before its map's last lane."""

from __future__ import annotations

from pathlib import Path

import pytest

from sima_compiler import Machine
from tests.networks.float_net import FloatNet
from tests.support.judges import assert_judges_agree
from tests.support.qdq_writer import Style, write_qdq


@pytest.mark.parametrize("channels", [50, 75])
def test_padding_lanes_that_no_block_wrote_are_not_read(tmp_path: Path, channels: int) -> None:
    """The last block holds 5 channels and 11 lanes behind them; the map in DRAM has more than 11."""
    machine = tmp_path / "small.yaml"
    text = Machine.load("tiny").text.replace("sram_bytes_per_quad: 32768", "sram_bytes_per_quad: 12000")
    machine.write_text(text.replace("quads: 2", "quads: 1"), encoding="utf-8")
    net = FloatNet(5)
    x = net.conv(net.input((channels, 14, 17)), channels, 2, groups=channels // 5)
    y = net.conv(net.conv(x, channels, 3, groups=channels // 5), 7, 1)
    original = write_qdq(net.model([net.unary("Sigmoid", y)], "groups"), 5, Style())
    assert_judges_agree(original, tmp_path, batch=1, compress=True, machine=str(machine))
