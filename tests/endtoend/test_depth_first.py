"""Layers fused into stripes: exact like everything else, and faster than spilling each map."""

from __future__ import annotations

from pathlib import Path

import pytest

from sima_compiler import Archive, Machine
from sima_compiler.frontend.onnx_qdq import graph_from_onnx
from sima_compiler.ir.tiles import Tiling
from sima_compiler.pipeline import ConstantStore, Plan, Target, lower, plan
from sima_compiler.stages.tile import TileOptions, tile
from tests.networks.topologies import unet, yolo_style
from tests.support.judges import assert_judges_agree
from tests.support.qdq_writer import Style, write_qdq

NETWORKS = {"unet": lambda: unet(64, 16), "yolo_style": lambda: yolo_style(96, 16, classes=4)}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_fused_layers_agree_with_every_judge(tmp_path: Path, name: str) -> None:
    """Halos at the borders, skip connections into a stripe, concatenations inside one."""
    path = tmp_path / f"{name}.onnx"
    path.write_bytes(write_qdq(NETWORKS[name](), 7, Style()).SerializeToString())
    verdict = assert_judges_agree(path, tmp_path, batch=2, compress=True, machine="tiny")
    kinds = {row.kind for row in Archive.open(verdict.path).report.memory_map}
    assert "stripe" in kinds


def test_fusing_saves_time_where_maps_do_not_fit() -> None:
    graph = graph_from_onnx(write_qdq(unet(64, 16), 7, Style()), "unet")
    machine = Machine.load("tiny")
    (segment,) = lower(graph, machine).segments
    options = [TileOptions(machine.quads, 1, machine.sram_bytes(machine.quads), longest) for longest in (0, 12)]
    apart, fused = (tile(segment, machine, option) for option in options)
    assert isinstance(apart, Tiling)
    assert isinstance(fused, Tiling)
    assert not apart.fused
    assert fused.fused
    assert _loaded(fused) + _stored(fused) < _loaded(apart) + _stored(apart)
    found = plan(segment, Target(machine, machine.quads, compress=True), 1, ConstantStore(compress=True))
    assert isinstance(found, Plan)
    assert found.memory.tiling.fused


def _loaded(tiling: Tiling) -> int:
    return sum(load.command.box.bytes for load in tiling.loads if hasattr(load.command, "box"))


def _stored(tiling: Tiling) -> int:
    return sum(store.command.box.bytes for store in tiling.stores)
