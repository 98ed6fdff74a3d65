"""Whole networks: numpy, the simulated `.lm` and onnxruntime agree on every element, and bytes are reproducible."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sima_compiler import Archive
from tests.support.fed_nodes import assert_fed_nodes_agree
from tests.support.judges import assert_judges_agree
from tests.support.work_share import share_on_the_accelerator

#: Of the onnx package's networks those that take seconds; `tests.long.light_networks` judges all nine at 1 and 4.
LIGHT = ["light_shufflenet", "light_squeezenet"]
FULL = ["light_resnet50", "mobilenet_v2", "yolo_style"]
SMALL = ["mobilenet_v2_small", "yolo_style_small", "unet_small"]


@pytest.mark.parametrize("name", [*LIGHT, *FULL])
def test_full_networks_agree_at_batch_1(quantized_networks, tmp_path: Path, name: str) -> None:
    verdict = assert_judges_agree(quantized_networks.original(name), tmp_path, batch=1, compress=True)
    assert verdict.batch == 1
    assert verdict.elements >= 1000


@pytest.mark.parametrize(("name", "batch"), [*((name, 4) for name in LIGHT), *((name, 2) for name in FULL)])
def test_full_networks_agree_beyond_batch_1(quantized_networks, tmp_path: Path, name: str, batch: int) -> None:
    verdict = assert_judges_agree(quantized_networks.original(name), tmp_path, batch=batch, compress=False, seed=1)
    assert verdict.batch == batch


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_small_networks_agree_at_other_batches(quantized_networks, tmp_path: Path, name: str, compress: bool) -> None:
    assert assert_judges_agree(quantized_networks.original(name), tmp_path, batch=5, compress=compress).batch > 1


@pytest.mark.parametrize("name", SMALL)
def test_networks_larger_than_the_memory_agree(quantized_networks, tmp_path: Path, name: str) -> None:
    """The tiny machine has 64 KiB: every one of these must be striped and spilled."""
    model = quantized_networks(name)
    largest = max(_elements(tensor.shape) for tensor in model.graph.tensors.values())
    assert largest > 32_768
    assert_judges_agree(quantized_networks.original(name), tmp_path, batch=1, compress=True, machine="tiny")


def test_a_segmenter_agrees_but_for_its_transposed_convolution(quantized_networks, tmp_path: Path) -> None:
    """Boxes are decoded in the network: anchors that differ from place to place, bins, strides."""
    original = quantized_networks.original("yolo_segmenter_small")
    verdict = assert_fed_nodes_agree(original, tmp_path, batch=2, model=quantized_networks("yolo_segmenter_small"))
    assert len(verdict.nodes) == 1


@pytest.mark.parametrize("name", [*LIGHT, *FULL, *SMALL, "yolo_segmenter_small"])
def test_nearly_all_multiplications_are_on_the_accelerator(quantized_networks, name: str) -> None:
    assert share_on_the_accelerator(quantized_networks(name), quantized_networks.original(name)) >= 0.95


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


COMPILE = """
import sys
from sima_compiler import Model
Model.load(sys.argv[1], sys.argv[2]).compile(output_path=sys.argv[3], batch_size=3)
"""


@pytest.mark.parametrize("name", ["mobilenet_v2_small", "yolo_style_small"])
def test_the_same_model_gives_the_same_bytes(quantized_networks, tmp_path: Path, name: str) -> None:
    """Twice in this process; then in others, with other hash seeds, from other folders into other folders."""
    digests: set[str] = set()
    for index in range(2):
        folder = tmp_path / f"here{index}"
        folder.mkdir()
        digests.add(_digest(quantized_networks(name).compile(output_path=str(folder), batch_size=3).path))
    source = quantized_networks.path(name).parent
    for seed in ("1", "4711"):
        folder = tmp_path / f"elsewhere with spaces {seed}"
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", COMPILE, name, str(source), str(folder)]
        run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert run.returncode == 0, run.stderr
        digests.add(_digest(folder / f"{name}_mpk.tar.gz"))
    assert len(digests) == 1


def test_the_request_of_compression_is_honoured(quantized_networks, tmp_path: Path) -> None:
    sizes: dict[bool, int] = {}
    for compress in (True, False):
        folder = tmp_path / str(compress)
        folder.mkdir()
        result = quantized_networks("mobilenet_v2_small").compile(output_path=str(folder), compress=compress)
        sizes[compress] = sum(node.bytes for node in Archive.open(result.path).files if node.name.endswith(".lm"))
    assert sizes[True] < 0.97 * sizes[False]


def _digest(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
