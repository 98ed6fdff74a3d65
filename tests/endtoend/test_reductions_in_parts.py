"""Reductions that no block can hold whole: exact on a machine of 4 KiB, planned on the large one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Archive, Machine
from sima_compiler.frontend.onnx_qdq import graph_from_onnx
from sima_compiler.ir.program import Part, Program, part_of
from sima_compiler.lm.reader import decode
from sima_compiler.pipeline import ConstantStore, Plan, Target, lower, plan
from tests.lowering.graph_pen import Pen
from tests.networks.float_net import FloatNet
from tests.support.judges import assert_judges_agree
from tests.support.qdq_writer import Style, write_qdq


def _small_machine(folder: Path) -> str:
    """One quad of the tiny machine with the least memory that a description may have."""
    text = Machine.load("tiny").text.replace("sram_bytes_per_quad: 32768", "sram_bytes_per_quad: 4096")
    path = folder / "small.yaml"
    path.write_text(text.replace("quads: 2", "quads: 1"), encoding="utf-8")
    return str(path)


def _flatten_dense(net: FloatNet) -> str:
    return net.dense(net.flatten(net.input((16, 20, 20))), 20)


def _long_dense(net: FloatNet) -> str:
    return net.dense(net.input((9000,)), 5)


def _global_pool(net: FloatNet) -> str:
    return net.global_pool(net.input((40, 18, 17)))


def _large_window(net: FloatNet) -> str:
    return net.conv(net.input((20, 24, 24)), 6, (19, 17), pads=(3, 5, 4, 2))


def _three_channels(net: FloatNet) -> str:
    return net.conv(net.input((3, 50, 50)), 8, (48, 48), pads=(0, 0, 0, 0))


def _deep_then_sigmoid(net: FloatNet) -> str:
    return net.unary("Sigmoid", net.conv(net.input((500, 5, 5)), 12, 3))


def _dilated(net: FloatNet) -> str:
    return net.conv(net.input((150, 12, 12)), 12, 5, dilation=3, stride=(2, 3), pads=(6, 6, 6, 6))


def _depthwise(net: FloatNet) -> str:
    return net.conv(net.input((24, 20, 20)), 24, 19, groups=24)


def _groups(net: FloatNet) -> str:
    return net.conv(net.input((300, 5, 5)), 40, 5, groups=2)


def _residual(net: FloatNet) -> str:
    image = net.input((60, 8, 8))
    return net.unary("Relu", net.binary("Add", net.conv(image, 60, 5), image))


def _max_pool(net: FloatNet) -> str:
    return net.pool("MaxPool", net.input((20, 30, 30)), (23, 25), stride=(2, 3), pads=(4, 3, 4, 3))


def _average_of_cells_inside(net: FloatNet) -> str:
    return net.pool("AveragePool", net.input((20, 30, 30)), (23, 25), stride=(2, 3), pads=(4, 3, 4, 3))


def _average_of_all_cells(net: FloatNet) -> str:
    pads = (12, 13, 12, 13)
    return net.pool("AveragePool", net.input((20, 18, 18)), (23, 25), stride=1, pads=pads, count_include_pad=1)


NETWORKS: dict[str, Callable[[FloatNet], str]] = {
    build.__name__.strip("_"): build
    for build in (
        _flatten_dense, _long_dense, _global_pool, _large_window, _three_channels, _deep_then_sigmoid, _dilated,
        _depthwise, _groups, _residual, _max_pool, _average_of_cells_inside, _average_of_all_cells,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_blocks_in_parts_agree_with_every_judge(tmp_path: Path, name: str) -> None:
    """Parts that lose a row, a pad's count, or float32's order of adding give other bytes."""
    net = FloatNet(5)
    original = write_qdq(net.model([NETWORKS[name](net)], name), 5, Style())
    batch = 2 if name in ("global_pool", "long_dense") else 1
    verdict = assert_judges_agree(original, tmp_path, batch=batch, compress=True, machine=_small_machine(tmp_path))
    parts = [part_of(command) for command in _program(verdict.path).compute]
    assert parts.count(Part.FIRST) == parts.count(Part.LAST) > 0


def _program(path: Path) -> Program:
    archive = Archive.open(path)
    (name,) = archive.lm_files
    return decode(archive.read(name))


def test_a_constant_operand_larger_than_the_memory_follows_the_stripes(tmp_path: Path) -> None:
    net = FloatNet(7)
    image = net.input((16, 20, 20))
    offset = net.constant(np.random.default_rng(0).standard_normal((16, 20, 20)).astype(np.float32))
    original = write_qdq(net.model([net.binary("Add", image, offset)], "offset"), 7, Style())
    assert_judges_agree(original, tmp_path, batch=1, compress=False, machine=_small_machine(tmp_path))


def _flatten_of_a_large_image(pen: Pen) -> str:
    image = pen.conv(pen.input(3, 1024, 1024), 16, (3, 3))
    return pen.gemm(pen.reshape(image, 16 * 1022 * 1022), 2)


def _average_of_a_film_frame(pen: Pen) -> str:
    return pen.global_pool(pen.conv(pen.input(3, 2160, 3840), 32, (3, 3)))


@pytest.mark.parametrize("build", [_flatten_of_a_large_image, _average_of_a_film_frame])
@pytest.mark.parametrize("quads", [1, 4])
def test_no_layer_is_too_large_for_the_machine(build: Callable[[Pen], str], quads: int) -> None:
    """One output's inputs and weights exceed all of the memory; verifiers run inside `plan`."""
    pen, machine = Pen(), Machine.load("mlsoc")
    (segment,) = lower(pen.graph(build(pen)), machine).segments
    found = plan(segment, Target(machine, quads, compress=False), 1, ConstantStore(compress=False))
    assert isinstance(found, Plan)
    assert any(part_of(step) is Part.LAST for step in found.memory.tiling.steps)


def test_a_padded_window_of_a_map_that_fits_is_not_cut() -> None:
    """Parts are the last resort: where a whole window fits, none is cut."""
    net = FloatNet(3)
    graph = graph_from_onnx(
        write_qdq(net.model([net.conv(net.input((16, 32, 32)), 16, 7)], "fits"), 3, Style()), "fits"
    )
    machine = Machine.load("tiny")
    (segment,) = lower(graph, machine).segments
    found = plan(segment, Target(machine, 1, compress=True), 1, ConstantStore(compress=True))
    assert isinstance(found, Plan)
    assert {part_of(step) for step in found.memory.tiling.steps} == {Part.WHOLE}
