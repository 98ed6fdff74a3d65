"""`export_model`: the file is one that onnx's checker and onnxruntime take, and it computes the same integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Model, OutputError
from sima_compiler.exporting import export_model
from tests.support import headed
from tests.support.judges import model_inputs
from tests.support.oracle import run_onnxruntime
from tests.support.qdq_graph import UINT8, QdqGraph
from tests.support.small_models import write_small_model


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model.from_onnx(write_small_model(tmp_path))


def test_the_uint8_form_computes_what_the_archive_does(model: Model, tmp_path: Path) -> None:
    result = export_model(model, tmp_path / "form.onnx", uint8=True)
    inputs = model_inputs(model, 3, 0)
    (expected,) = run_onnxruntime(onnx.load(result.path), inputs).values()
    assert np.array_equal(expected, model.execute(inputs)[0])
    assert (result.form, result.bytes) == ("uint8", result.path.stat().st_size)


def test_the_int8_form_is_read_back_as_the_same_network(model: Model, tmp_path: Path) -> None:
    result = export_model(model, tmp_path)
    assert result.path == tmp_path / "small_int8.onnx"
    onnx.checker.check_model(str(result.path), full_check=True)
    inputs = model_inputs(model, 2, 0)
    assert np.array_equal(Model.from_onnx(result.path).execute(inputs)[0], model.execute(inputs)[0])


def test_a_network_that_ends_early_is_written_up_to_there(tmp_path: Path) -> None:
    pen = QdqGraph(UINT8)
    pen.output(pen.op("Softmax", pen.pair(pen.op("Gemm", pen.input((6,)), pen.weights((6, 4)))), axis=1))
    result = export_model(Model.from_onnx(pen.model(), "net", mla_only=True), tmp_path, uint8=True)
    assert result.left_to_host
    assert "Softmax" not in [node.op_type for node in onnx.load(result.path).graph.node]
    assert tuple(run_onnxruntime(onnx.load(result.path), {"image": np.zeros((2, 6), np.float32)})) == result.outputs


def test_a_network_with_host_layers_is_written_whole(tmp_path: Path) -> None:
    model = Model.from_onnx(headed.detector(), "net")
    result = export_model(model, tmp_path, uint8=True)
    assert not result.left_to_host
    inputs = model_inputs(model, 3, 0)
    expected = run_onnxruntime(onnx.load(result.path), inputs)
    found = dict(zip(model.network.outputs, model.execute(inputs), strict=True))
    assert set(expected) == set(found)
    for name, array in expected.items():
        assert np.allclose(array, found[name][: len(array)], rtol=1e-5, atol=1e-6), name


def test_the_models_own_file_is_never_overwritten(model: Model, tmp_path: Path) -> None:
    before = (tmp_path / "small.onnx").read_bytes()
    with pytest.raises(OutputError, match="the model's own file"):
        export_model(model, tmp_path / "small.onnx")
    assert (tmp_path / "small.onnx").read_bytes() == before


def test_the_name_must_be_one_that_tools_know(model: Model, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"ends in \.onnx") as caught:
        export_model(model, tmp_path / "net.sima")
    assert "net.sima.onnx" in caught.value.hint


def test_the_last_folder_is_made_and_no_other(model: Model, tmp_path: Path) -> None:
    assert export_model(model, tmp_path / "new" / "net.onnx").path.is_file()
    with pytest.raises(OutputError, match=f"the nearest that exists is {tmp_path}"):
        export_model(model, tmp_path / "far" / "off" / "net.onnx")
