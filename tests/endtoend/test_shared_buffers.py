"""Networks with several inputs and outputs of few channels: one buffer for all of them, whole units per sample.

The sizes of the pack and unpack steps are added up here by a count of its own, and held to the tensors of the `.lm`.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import pytest

from sima_compiler import Archive
from sima_compiler.ir.program import Role
from sima_compiler.lm.reader import read
from tests.support.judges import assert_judges_agree
from tests.support.qdq_graph import QdqGraph

#: (rows, columns, channels) of two inputs: their samples packed make 105 and 60 bytes, 48 and 64, 15 and 2, ...
SHAPES = {
    "odd and odd": ((5, 7, 3), (4, 5, 3)),
    "whole and whole": ((4, 4, 3), (4, 4, 4)),
    "one pixel": ((1, 1, 15), (1, 1, 2)),
    "odd and whole": ((3, 5, 1), (8, 8, 3)),
    "thin and wide": ((5, 5, 3), (3, 3, 20)),
    "sixteen samples are whole": ((1, 5, 1), (1, 3, 1)),
}


def two_heads(first: tuple[int, int, int], second: tuple[int, int, int], heads: int) -> QdqGraph:
    """Two images; ``heads`` convolutions of one to three channels on each, every one of them an output."""
    pen = QdqGraph(batch="N")
    for index, (rows, columns, channels) in enumerate((first, second)):
        image = pen.input((channels, rows, columns), f"image{index}")
        for head in range(heads):
            weights = pen.weights((1 + head, channels, 1, 1), axis=0)
            pen.output(pen.pair(pen.op("Conv", image, weights), 0.04, head))
    return pen


@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize("case", SHAPES)
def test_pack_and_unpack_add_up_sample_by_sample_and_the_numbers_stay_exact(
    tmp_path: Path, case: str, batch: int
) -> None:
    pen = two_heads(*SHAPES[case], heads=2)
    verdict = assert_judges_agree(pen.model(), tmp_path, batch=batch, compress=True, machine="mlsoc")
    archive = Archive.open(verdict.path)
    steps = {plugin["name"]: plugin for plugin in archive.mpk.raw["plugins"]}
    packs = [p for p in steps.values() if p["config_params"].get("kernel") == "pack_transform"]
    unpacks = [p for p in steps.values() if p["config_params"].get("kernel") == "unpack_transform"]
    assert (verdict.batch, len(packs), len(unpacks)) == (batch, 1, 1)
    _assert_whole_units(packs[0]["input_nodes"], packs[0]["output_nodes"][0], verdict.batch)
    _assert_whole_units(unpacks[0]["output_nodes"], unpacks[0]["input_nodes"][0], verdict.batch)
    _assert_shapes(unpacks[0], verdict.batch)
    _assert_as_in_the_binary(archive, packs[0], unpacks[0])


def _assert_whole_units(parts: list[dict[str, Any]], whole: dict[str, Any], batch: int) -> None:
    samples = [part["size"] / batch for part in parts]
    assert all(sample % 16 == 0 for sample in samples)
    assert sum(samples) * batch == whole["size"]


def _assert_shapes(unpack: dict[str, Any], batch: int) -> None:
    params = unpack["config_params"]["params"]
    assert params["tensor_shapes"] == params["output_shapes"]
    assert params["input_shapes"] == [[batch, unpack["input_nodes"][0]["size"] // batch]]
    assert [prod(shape) for shape in params["tensor_shapes"]] == [node["size"] for node in unpack["output_nodes"]]


def _assert_as_in_the_binary(archive: Archive, pack: dict[str, Any], unpack: dict[str, Any]) -> None:
    """What a step hands over is what the program keeps in memory, part behind part in the same order without gaps."""
    program = read(archive.read(archive.lm_files[0])).program
    for role, nodes in ((Role.INPUT, pack["input_nodes"]), (Role.OUTPUT, unpack["output_nodes"])):
        tensors = [tensor for tensor in program.tensors if tensor.role is role]
        assert [tensor.bytes for tensor in tensors] == [node["size"] for node in nodes]
        for before, behind in pairwise(tensors):
            assert before.address + before.bytes == behind.address


def test_whole_samples_stay_packed_in_a_shared_buffer(tmp_path: Path) -> None:
    """Padding is paid only where a sample would not be whole units without it."""
    first, second = SHAPES["whole and whole"]
    verdict = assert_judges_agree(
        two_heads(first, second, heads=1).model(), tmp_path, batch=2, compress=True, machine="mlsoc"
    )
    program = read(Archive.open(verdict.path).read("small_stage1_mla.lm")).program
    inputs = [tensor.bytes for tensor in program.tensors if tensor.role is Role.INPUT]
    outputs = [tensor.bytes for tensor in program.tensors if tensor.role is Role.OUTPUT]
    assert inputs == [2 * prod(first), 2 * prod(second)]
    assert outputs == [2 * 16, 2 * 16]


def test_a_tensor_that_is_alone_stays_packed(tmp_path: Path) -> None:
    """The padding that a shared buffer needs is not paid where there is one input and one output."""
    pen = QdqGraph(batch="N")
    image = pen.input((3, 5, 7))
    pen.output(pen.pair(pen.op("Conv", image, pen.weights((2, 3, 1, 1), axis=0)), 0.04, 1))
    verdict = assert_judges_agree(pen.model(), tmp_path, batch=2, compress=True, machine="mlsoc")
    program = read(Archive.open(verdict.path).read("small_stage1_mla.lm")).program
    sizes = {tensor.role: tensor.bytes for tensor in program.tensors if tensor.role is not Role.SPILL}
    assert sizes == {Role.INPUT: 2 * 5 * 7 * 3, Role.OUTPUT: 2 * 5 * 7 * 2}
