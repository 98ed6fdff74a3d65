"""`Model`: properties, execution at any batch, the exported forms, and the options of compile."""

from __future__ import annotations

import inspect
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sima_compiler import (
    InputError,
    L2CachingMode,
    Machine,
    MachineError,
    Model,
    OptionError,
    TensorDRAMLayout,
    TensorTessellateParameters,
    UnsupportedError,
)
from tests.support.judges import model_inputs
from tests.support.qdq_graph import QdqGraph


@pytest.fixture
def model() -> Model:
    net = QdqGraph(batch=4)
    x = net.pair(net.op("Conv", net.input((3, 6, 6)), net.weights((16, 3, 3, 3), axis=0)), 0.03, 2)
    net.output(net.pair(net.op("Sigmoid", x), 1 / 256, -128))
    return Model.from_onnx(net.model(), "small")


def test_properties_are_per_sample(model: Model) -> None:
    assert model.name == "small"
    assert model.inputs == {"image": (3, 6, 6)}
    assert list(model.outputs.values()) == [(16, 4, 4)]
    assert model.graph.batch == 4
    assert "small" in repr(model)
    assert len(repr(model)) < 300
    assert model.renamed("other").name == model.renamed("other").graph.name == "other"


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_execute_takes_any_batch_and_returns_reals(model: Model, batch: int) -> None:
    (result,) = model.execute(model_inputs(model, batch, 0))
    assert result.dtype == np.float32
    assert result.shape == (batch, 16, 4, 4)
    assert np.array_equal(result * 256, np.rint(result * 256))


def test_execute_refuses_what_does_not_fit(model: Model) -> None:
    with pytest.raises(InputError, match="image"):
        model.execute({})


@pytest.mark.parametrize(("uint8", "kind"), [(False, onnx.TensorProto.INT8), (True, onnx.TensorProto.UINT8)])
def test_exported_forms_are_float_at_the_boundary_with_an_open_batch(model: Model, uint8: bool, kind: int) -> None:
    proto = model.to_onnx(uint8=uint8)
    onnx.checker.check_model(proto, full_check=True)
    for value in (*proto.graph.input, *proto.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        assert value.type.tensor_type.shape.dim[0].dim_param
    zero_points = {node.input[2] for node in proto.graph.node if node.op_type == "QuantizeLinear"}
    assert {entry.data_type for entry in proto.graph.initializer if entry.name in zero_points} == {kind}


def test_exporting_does_not_change_the_model(model: Model) -> None:
    before = model.checksum
    model.to_onnx(uint8=True)
    assert model.checksum == before
    assert len(before) == 64


def test_the_signature_of_compile_is_the_published_one() -> None:
    parameters = inspect.signature(Model.compile).parameters
    published = ["output_path", "batch_size", "compress", "log_level", "tessellate_parameters", "l2_caching_mode"]
    assert list(parameters)[1:7] == published
    assert parameters["batch_size"].default == 1
    assert parameters["compress"].default is True
    assert parameters["log_level"].default == logging.NOTSET
    assert parameters["tessellate_parameters"].default is None
    assert parameters["l2_caching_mode"].default is L2CachingMode.NONE


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": -3}, "batch_size is -3"),
        ({"batch_size": 2.0}, "batch_size is 2.0"),
        ({"batch_size": True}, "batch_size is True"),
        ({"batch_size": "8"}, "batch_size is '8'"),
        ({"compress": 1}, "compress is 1"),
        ({"quads": 0}, "quads"),
        ({"quads": 5}, "quads"),
        ({"log_level": "INFO"}, "log_level"),
    ],
)
def test_options_out_of_range(model: Model, tmp_path: Path, options: dict[str, Any], word: str) -> None:
    with pytest.raises(OptionError) as caught:
        model.compile(tmp_path, **options)
    assert word in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_numpy_counts_are_counts(model: Model, tmp_path: Path) -> None:
    result = model.compile(tmp_path, batch_size=np.int64(2), quads=np.int32(1))  # type: ignore[arg-type]
    assert json.dumps(result.to_dict())
    assert result.desired_batch_size == 2


def test_an_unknown_machine(model: Model, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="mlsoc"):
        model.compile(tmp_path, machine="abacus")


def test_options_without_a_meaning_here_are_refused(model: Model, tmp_path: Path) -> None:
    straight = {"image": TensorTessellateParameters(dram_layout=TensorDRAMLayout.HWC16)}
    with pytest.raises(UnsupportedError, match="3 channels, which no EV74 kernel"):
        model.compile(tmp_path, tessellate_parameters=straight)
    with pytest.raises(UnsupportedError, match="l2_caching_mode"):
        model.compile(tmp_path, l2_caching_mode=L2CachingMode.SINGLE_MODEL)


def test_keywords_of_the_vendors_sdk_are_taken_with_a_warning(model: Model, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="mlc_files, preserve") as caught:
        result = model.compile(tmp_path, preserve=False, mlc_files="x", machine=Machine.load("tiny"))
    assert Path(caught[0].filename) == Path(__file__)
    assert result.path.is_file()


def test_log_level_holds_for_the_call_alone(model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("sima_compiler")
    before, handlers = logger.level, list(logger.handlers)
    levels: list[int] = []
    model.compile(tmp_path, log_level=logging.DEBUG, progress=lambda _: levels.append(logger.level))
    assert set(levels) == {logging.DEBUG}
    assert (logger.level, logger.handlers) == (before, handlers)

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.compile(tmp_path, log_level=logging.DEBUG, progress=stop)
    assert logger.level == before
