"""A batch whose maps do not fit at once runs sample by sample: still exact, still one load of the parameters."""

from __future__ import annotations

import re
from pathlib import Path

import onnx
import pytest

from sima_compiler import Archive, Machine, Model
from sima_compiler.ir.program import LoadConstants
from sima_compiler.lm.reader import read
from tests.networks.topologies import unet
from tests.support.judges import assert_judges_agree
from tests.support.qdq_writer import Style, write_qdq


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("segmentation") / "unet.onnx"
    onnx.save(write_qdq(unet(48, 4, depth=2), 5, Style()), path)
    return path


@pytest.fixture(scope="module")
def segmentation(original: Path) -> Model:
    return Model.from_onnx(original)


def machine_with(folder: Path, on_chip: int) -> str:
    """The tiny machine with another on-chip size."""
    path = folder / f"tiny_{on_chip}.yaml"
    path.write_text(re.sub(r"sram_bytes_per_quad: \d+", f"sram_bytes_per_quad: {on_chip}", Machine.load("tiny").text))
    return str(path)


@pytest.mark.parametrize("on_chip", [96 * 1024, 112 * 1024])
@pytest.mark.parametrize("compress", [True, False])
def test_every_sample_is_exact(original: Path, tmp_path: Path, on_chip: int, compress: bool) -> None:
    machine = machine_with(tmp_path, on_chip)
    verdict = assert_judges_agree(original, tmp_path, batch=4, compress=compress, machine=machine)
    assert verdict.batch == 4


def test_parameters_are_loaded_once_and_cycles_per_sample_do_not_grow(segmentation: Model, tmp_path: Path) -> None:
    machine = machine_with(tmp_path, 96 * 1024)
    one = segmentation.compile(str(tmp_path), 1, machine=machine)
    loaded = [len(constant_loads(one.archive))]
    four = segmentation.compile(str(tmp_path), 4, machine=machine)
    loaded.append(len(constant_loads(four.archive)))
    assert four.actual_batch_size == 4
    assert loaded[0] == loaded[1]
    assert four.runtime_cycles <= 4 * 1.01 * one.runtime_cycles
    assert any(command.startswith("sample 3") for command in repeated_buffers(four.archive))


def constant_loads(archive: Archive) -> list[LoadConstants]:
    (name,) = archive.lm_files
    commands = read(archive.read(name)).program.dma_in
    return [command for command in commands if isinstance(command, LoadConstants)]


def repeated_buffers(archive: Archive) -> list[str]:
    """What the names of buffers say about the sample that they belong to."""
    (name,) = archive.lm_files
    return [
        found for buffer in read(archive.read(name)).program.buffers for found in re.findall(r"sample \d+", buffer.name)
    ]
