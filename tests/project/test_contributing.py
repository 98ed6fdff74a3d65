"""Follows CONTRIBUTING.md to add a machine, with the very file that it shows."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sima_compiler import Archive, Machine, quantize, simulate

ROOT = Path(__file__).parents[2]


def section(title: str) -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def machine_file(tmp_path: Path) -> Path:
    """Step 1: the file as the document shows it."""
    block = re.search(r"```yaml\n(.*?)```", section("Add a machine"), re.DOTALL)
    assert block is not None
    path = tmp_path / "edge.yaml"
    path.write_text(textwrap.dedent("   " + block[1].lstrip(" ")), "utf-8")
    return path


def small_network(path: Path) -> Path:
    """Two convolutions with a residual addition, enough to use every part of a machine."""
    rng = np.random.default_rng(7)
    shapes = {"w1": (32, 16, 3, 3), "w2": (32, 32, 1, 1)}
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), name) for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"], kernel_shape=[1, 1]),
        helper.make_node("Add", ["b", "c"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 16, 24, 24])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 32, 24, 24])],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def test_the_shown_machine_is_complete_and_legal(machine_file: Path) -> None:
    machine = Machine.load(machine_file)
    assert machine.name == "edge"
    assert machine.macs_per_cycle(machine.quads) == 8 * 16 * 16


def test_the_shown_machine_compiles_and_runs(machine_file: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    sample = {"x": rng.normal(size=(1, 16, 24, 24)).astype(np.float32)}
    model = quantize(str(small_network(tmp_path / "small.onnx")), [sample])
    result = model.compile(output_path=str(tmp_path), machine=str(machine_file), quads=1)
    machine_file.unlink()  # the description travels inside the .lm
    run = simulate(Archive.open(result.path), sample)
    np.testing.assert_array_equal(run.outputs["y"], model.execute(sample)[0])
    peak = 24 * 24 * 32 * (16 * 9 + 32) / (8 * 16 * 16)
    assert result.compute_cycles >= peak


def test_the_steps_for_an_operator_name_files_that_exist() -> None:
    names = re.findall(r"`((?:compiler|tests)/[\w./]+)`", section("Add an operator"))
    assert len(names) > 8
    missing = [name for name in names if not (ROOT / name).exists()]
    assert not missing
