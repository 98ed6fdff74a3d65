"""The demonstration notices a wrong number, and says plainly when it cannot run. `make demo` itself runs in full."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Model, demo
from tests.networks.float_net import FloatNet
from tests.support.judges import model_inputs
from tests.support.qdq_writer import Style, write_qdq


@pytest.fixture
def model() -> Model:
    net = FloatNet(3)
    return Model.from_onnx(write_qdq(net.model([net.dense(net.input((12,)), 5)]), 3, Style()))


def test_equal_results_pass_and_any_difference_fails(model: Model) -> None:
    inputs = model_inputs(model, 2, 0)
    oracle = demo.run_onnxruntime(model, inputs)
    (name,) = oracle
    integers = {name: demo.arithmetic.quantize(oracle[name], model.graph.tensors[name].quant)}
    assert demo.compare(model, integers, oracle, oracle)
    wrong_float = {name: oracle[name].copy()}
    wrong_float[name][1, 4] = np.nextafter(wrong_float[name][1, 4], np.float32(9))
    assert not demo.compare(model, integers, wrong_float, oracle)
    wrong_integer = {name: integers[name].copy()}
    wrong_integer[name][0, 0] ^= 1
    assert not demo.compare(model, wrong_integer, oracle, oracle)


def test_the_exit_status_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for same, status in ((True, 0), (False, 1)):
        monkeypatch.setattr(demo, "run", lambda folder, batch, same=same: same)
        assert demo.main(["--output", str(tmp_path)]) == status


def test_an_output_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "demo"
    file.touch()
    assert demo.main(["--output", str(file)]) == 1
    assert "demo failed" in capsys.readouterr().err
