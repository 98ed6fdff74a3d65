"""`Model.check`: models of every kind become a report with a verdict and every obstacle, never an error."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import onnx
import onnx.utils
import pytest
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_static

from sima_compiler import CheckReport, Model, OptionError, SimaError
from sima_compiler.view.check import ModelKind
from tests.networks.float_net import FloatNet
from tests.support.oracle import SampleReader, quiet_onnxruntime
from tests.support.qdq_graph import QdqGraph
from tests.support.small_models import small_float_model, write_small_model

#: Multiply-accumulates of one sample of each convolution of `blocked`: 8 x 8 places, 3 x 3 x 4 weights, 4 channels.
CONVOLUTION = 8 * 8 * 9 * 4 * 4


def convolution(pen: QdqGraph, value: str) -> str:
    return pen.pair(pen.op("Conv", value, pen.weights((4, 4, 3, 3), axis=0), pads=[1, 1, 1, 1]))


def blocked(*operators: str) -> onnx.ModelProto:
    """A convolution around each of the operators."""
    pen = QdqGraph()
    value = convolution(pen, pen.input((4, 8, 8)))
    for operator in operators:
        value = convolution(pen, pen.pair(pen.op(operator, value)))
    pen.output(value)
    return pen.model()


def quantized_while_running() -> onnx.ModelProto:
    """A dense layer as `quantize_dynamic` writes it."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], "scales"),
        helper.make_node("MatMulInteger", ["q", "w", "z", "wz"], ["i"], "product"),
        helper.make_node("Cast", ["i"], ["f"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "s"], ["y"], "scale"),
    ]
    constants = {"w": np.ones((8, 4), np.int8), "wz": np.int8(0)}
    graph = helper.make_graph(
        nodes,
        "dynamic",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def operators(report: CheckReport) -> list[str]:
    return [obstacle.operator for obstacle in report.obstacles]


def test_a_model_that_compiles(tmp_path: Path) -> None:
    report = Model.check(write_small_model(tmp_path))
    assert (report.kind, report.compiles, report.obstacles) == (ModelKind.QUANTIZED, True, ())
    assert report.verdict == "compiles"
    assert report.macs == 8 * 8 * 9 * (3 * 16 + 16 * 16) + 16 * 5
    assert report.nodes == len(onnx.load(tmp_path / "small.onnx").graph.node)


def test_a_saved_model_is_checked_like_its_file(tmp_path: Path) -> None:
    path = Model.from_onnx(write_small_model(tmp_path)).save("small", tmp_path)
    assert Model.check(path).compiles


def test_all_obstacles_and_their_share_of_the_work() -> None:
    report = Model.check(blocked("Sinh", "Asin", "Sinh"))
    assert (report.kind, report.compiles, report.verdict) == (
        ModelKind.QUANTIZED,
        False,
        "does not compile: 3 obstacles",
    )
    assert sorted(operators(report)) == ["Asin", "Sinh", "Sinh"]
    text = repr(report)
    assert "Sinh, 2 nodes" in text
    assert "(25.0 %) in front of the first" in text
    assert "(50.0 %) in front of it, " in text


def test_a_float_model_that_would_compile_says_how() -> None:
    report = Model.check(small_float_model())
    assert (report.kind, report.compiles, report.obstacles) == (ModelKind.FLOAT, True, ())
    assert "simac quantize" in report.verdict


def test_a_float_model_is_checked_for_what_its_quantized_form_would_hold() -> None:
    net = FloatNet(1)
    x = net.conv(net.input((3, 8, 8), "image"), 4, 3)
    for operator in ("Sinh", "Cosh"):
        x = net.conv(net.node(operator, [x], (4, 8, 8)), 4, 3)
    source = net.model([x])
    report = Model.check(source)
    assert (report.kind, operators(report)) == (ModelKind.FLOAT, ["Sinh", "Cosh"])
    assert "2 obstacles" in report.verdict
    for obstacle in report.obstacles:  # the command holds for the file that the person has
        (ends,) = [node.input[0] for node in source.graph.node if node.op_type == obstacle.operator]
        assert f"['{ends}'], check_model=False)" in obstacle.hint


def opened(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rows and columns of the image are left open."""
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_param = "side"
    return model


def test_open_sizes_of_a_quantized_file_are_an_obstacle_that_hides_no_other() -> None:
    report = Model.check(opened(blocked("Sinh", "Asin")))
    assert operators(report) == ["", "Sinh", "Asin"]
    assert "--input-shape image=1x4xHxW" in report.obstacles[0].hint
    assert "image=1x4x224x224" in report.warnings[0]
    assert Model.check(opened(blocked()), input_shapes={"image": (1, 4, 8, 8)}).compiles
    with pytest.raises(OptionError):
        Model.check(opened(blocked()), input_shapes={"picture": (1, 4, 8, 8)})


def test_open_sizes_of_a_float_file_are_left_to_the_samples() -> None:
    net = FloatNet(1)
    x = net.unary("Relu", net.conv(net.input((3, 8, 8), "image"), 4, 3))
    report = Model.check(opened(net.model([x])))
    assert report.compiles
    assert "the samples decide" in report.warnings[0]
    y = net.conv(net.node("Sinh", [x], (4, 8, 8)), 4, 3)
    report = Model.check(opened(net.model([y])))
    assert operators(report) == ["Sinh"]


def test_sizes_that_no_assumption_fits_are_named_alone() -> None:
    net = FloatNet(1)
    x = net.dense(net.flatten(net.conv(net.input((3, 8, 8), "image"), 4, 3)), 5)
    report = Model.check(opened(net.model([x])))
    assert operators(report) == [""]
    assert "--input-shape image=1x3xHxW" in report.obstacles[0].hint


@pytest.mark.parametrize(
    ("activation", "weight", "name"),
    [
        (QuantType.QInt16, QuantType.QInt8, "int16"),
        (QuantType.QUInt16, QuantType.QUInt8, "uint16"),
        (QuantType.QUInt8, QuantType.QInt4, "int4"),
    ],
)
def test_types_of_other_widths_are_called_by_their_names(
    activation: QuantType, weight: QuantType, name: str, tmp_path: Path
) -> None:
    onnx.save(small_float_model(), tmp_path / "float.onnx")
    samples = [{"image": np.random.default_rng(0).standard_normal((2, 3, 8, 8), dtype=np.float32)}]
    with quiet_onnxruntime():
        quantize_static(
            tmp_path / "float.onnx", tmp_path / "net.onnx", SampleReader(samples),
            activation_type=activation, weight_type=weight,
        )  # fmt: skip
    report = Model.check(tmp_path / "net.onnx")
    assert not report.compiles
    assert {obstacle.found.split()[-1] for obstacle in report.obstacles} == {name}
    assert all("simac quantize" in obstacle.hint for obstacle in report.obstacles)


def test_an_obstacle_without_advice_of_its_own_says_how_to_end_in_front_of_it() -> None:
    pen = QdqGraph()
    first = convolution(pen, pen.input((4, 8, 8)))
    pen.output(pen.pair(pen.op("Sinh", first)))
    (obstacle,) = Model.check(pen.model()).obstacles
    assert obstacle.rule.startswith("the operator is one that this compiler lowers")
    assert f"onnx.utils.extract_model(MODEL, 'front.onnx', ['image'], ['{first}'], check_model=False)" in obstacle.hint


def test_the_placement_stands_in_every_form_of_a_check() -> None:
    pen = QdqGraph()
    pen.output(pen.pair(pen.op("MaxPool", pen.input((4, 8, 8)), kernel_shape=[2, 2], dilations=[3, 3])))
    report = Model.check(pen.model())
    assert report.compiles
    assert report.placement.startswith("1 MLA segment, 1 host layer") or report.placement.startswith("2 MLA segments")
    (layer,) = report.host_layers
    assert layer.rule == "pooling dilations are 1"
    data = report.to_dict()
    assert (data["placement"], data["host_layers"][0]["rule"]) == (report.placement, layer.rule)
    for form in (repr(report), report._repr_html_()):
        assert layer.rule in form
        assert "host layer" in form


def test_dynamic_quantization_is_called_that_with_the_next_step() -> None:
    report = Model.check(quantized_while_running())
    assert report.kind is ModelKind.DYNAMIC
    assert {"DynamicQuantizeLinear", "MatMulInteger"} <= set(operators(report))
    assert report.verdict.startswith("dynamically quantized")
    assert "simac quantize" in report.obstacles[0].hint


def test_operators_of_other_domains_are_named_even_where_nothing_runs_them() -> None:
    model = small_float_model()
    model.graph.node[2].domain = "example"
    model.graph.node[2].op_type = "Special"
    model.opset_import.add(domain="example", version=1)
    report = Model.check(model)
    assert "onnxruntime refuses the model" in report.obstacles[0].found
    assert operators(report)[1:] == ["Special"]


@pytest.mark.parametrize("data", [b"", b"nonsense", b"PK\x03\x04 zip", b"\x80\x04 pickle"], ids=repr)
def test_what_is_no_model_is_a_report_too(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(data)
    report = Model.check(tmp_path / "net.onnx")
    assert (report.kind, report.compiles, len(report.obstacles)) == (ModelKind.UNREADABLE, False, 1)
    assert report.obstacles[0].found


@pytest.mark.parametrize(
    "model",
    [blocked(), blocked("Sinh"), blocked("Sinh", "Acos"), quantized_while_running()],
    ids=["none", "one", "two", "dynamic"],
)
def test_what_check_says_is_what_compile_does(model: onnx.ModelProto, tmp_path: Path) -> None:
    report = Model.check(model)
    if report.compiles:
        assert Model.from_onnx(model).compile(output_path=tmp_path).path.is_file()
    else:
        with pytest.raises(SimaError) as caught:
            Model.from_onnx(model)
        assert report.obstacles[0].found in str(caught.value)


def test_every_fact_stands_in_the_text_and_in_the_markup() -> None:
    report = Model.check(blocked("Sinh", "Asin"))
    for form in (" ".join(repr(report).split()), report._repr_html_().replace("&#x27;", "'").replace("&quot;", '"')):
        for obstacle in report.obstacles:
            advice = obstacle.hint.partition(": ")[0]
            for fact in (obstacle.node, obstacle.operator, obstacle.found, obstacle.rule, advice):
                assert fact in form
        assert report.verdict in form


def test_names_out_of_files_are_text_in_every_form() -> None:
    model = blocked("Sinh")
    for node in model.graph.node:
        if node.op_type == "Sinh":
            node.name = "</td><script>alert(1)</script>\x1b[31m\n"
    report = Model.check(model)
    assert "<script>" not in report._repr_html_()
    assert "\x1b" not in repr(report)
    assert "\\x1b[31m\\n" in repr(report)


def test_sizes_beyond_any_memory_are_named() -> None:
    model = small_float_model()
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 10**12
    report = Model.check(model)
    assert not report.compiles
    assert "has more than 268,435,456 values" in report.obstacles[0].found


def damaged(model: onnx.ModelProto, random: np.random.Generator) -> onnx.ModelProto | None:
    """A few bytes of the file changed; None where it is no ONNX any more."""
    data = bytearray(model.SerializeToString())
    for place in random.integers(0, len(data), 3):
        data[place] = random.integers(0, 256)
    try:
        return onnx.load_model_from_string(bytes(data))
    except (ValueError, RuntimeError, DecodeError):
        return None


def test_damaged_models_are_reports_or_errors_of_ours() -> None:
    random = np.random.default_rng(0)
    bases = [blocked("Sinh"), opened(blocked()), small_float_model()]
    reports = 0
    for number in range(60):
        model = damaged(bases[number % 3], random)
        if model is not None:
            report = Model.check(model)
            assert report.compiles or report.obstacles
            assert repr(report)
            assert report.to_dict()
            reports += 1
    assert reports > 20


@pytest.mark.parametrize("source", [blocked("Asin", "Acos"), opened(blocked("Asin"))], ids=["two", "open sizes too"])
def test_the_command_that_an_obstacle_gives_makes_a_model_that_compiles(
    source: onnx.ModelProto, tmp_path: Path
) -> None:
    onnx.save(source, tmp_path / "net.onnx")
    obstacle = next(found for found in Model.check(tmp_path / "net.onnx").obstacles if found.node)
    inputs, outputs = re.findall(r"\[[^]]*\]", obstacle.hint)
    front = tmp_path / "front.onnx"
    paths = (str(tmp_path / "net.onnx"), str(front))
    onnx.utils.extract_model(*paths, ast.literal_eval(inputs), ast.literal_eval(outputs), check_model=False)
    assert "check_model=False" in obstacle.hint
    report = Model.check(front, input_shapes={"image": (1, 4, 8, 8)})
    assert report.compiles
    assert report.macs == CONVOLUTION
