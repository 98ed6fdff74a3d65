"""Damaged models end in one error of ours, quantized and float ones alike, in the library and on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from sima_compiler import (
    CalibrationError,
    Machine,
    MachineError,
    Model,
    ModelError,
    SimaError,
    UnsupportedError,
    quantize,
)
from sima_compiler.cli import main
from sima_compiler.errors import InternalError
from tests.networks.float_net import FloatNet
from tests.support.qdq_writer import Style, random_inputs, write_qdq

DAMAGE: dict[str, Callable[[onnx.ModelProto], None]] = {}


def damage(change: Callable[[onnx.ModelProto], None]) -> Callable[[onnx.ModelProto], None]:
    DAMAGE[change.__name__] = change
    return change


def float_model() -> onnx.ModelProto:
    """Conv, Slice, Pad, Concat, Reshape, MatMul."""
    net = FloatNet(8)
    x = net.unary("Relu", net.conv(net.input((3, 8, 8), "image"), 4, 3))
    tables = [net.constant(np.array(values, np.int64), "at") for values in ([1, 1], [7, 7], [2, 3], [1, 1])]
    y = net.node("Slice", [x, *tables], (4, 6, 6))
    pads = net.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64), "pads")
    z = net.node("Pad", [y, pads], (4, 8, 8), mode="constant")
    flat = net.reshape(net.concat([x, z]), (512,))
    weights = (net.random.standard_normal((512, 5)) * 0.05).astype(np.float32)
    return net.model([net.node("MatMul", [flat, net.constant(weights, "w")], (5,))], "small")


def node(model: onnx.ModelProto, operator: str) -> onnx.NodeProto:
    return next(entry for entry in model.graph.node if entry.op_type == operator)


def constants(model: onnx.ModelProto, rank: int | None = None) -> list[onnx.TensorProto]:
    return [entry for entry in model.graph.initializer if rank is None or len(entry.dims) == rank]


def table(model: onnx.ModelProto, operator: str, place: int) -> onnx.TensorProto:
    """The constant that stands at an input of the first node of a kind."""
    name = node(model, operator).input[place]
    return next(entry for entry in model.graph.initializer if entry.name == name)


def rewrite(entry: onnx.TensorProto, values: object, kind: type = np.int64) -> None:
    entry.CopyFrom(numpy_helper.from_array(np.array(values, kind), entry.name))


@damage
def dims_that_hold_more_than_the_data(model: onnx.ModelProto) -> None:
    constants(model, 4)[0].dims[0] += 1


@damage
def dims_that_hold_less_than_the_data(model: onnx.ModelProto) -> None:
    constants(model, 4)[0].dims[0] = 1


@damage
def negative_dims(model: onnx.ModelProto) -> None:
    constants(model, 4)[0].dims[1] = -3


@damage
def dims_beyond_all_memory(model: onnx.ModelProto) -> None:
    constants(model, 4)[0].dims[0] = 2**40


@damage
def data_that_is_cut(model: onnx.ModelProto) -> None:
    entry = constants(model, 4)[0]
    entry.raw_data = entry.raw_data[:-5]


@damage
def data_that_is_missing(model: onnx.ModelProto) -> None:
    for entry in constants(model):
        entry.ClearField("raw_data")


@damage
def data_in_another_field(model: onnx.ModelProto) -> None:
    entry = constants(model, 4)[0]
    entry.ClearField("raw_data")
    entry.string_data.extend([b"one", b"two"])


@damage
def data_in_a_file_that_is_missing(model: onnx.ModelProto) -> None:
    entry = constants(model, 4)[0]
    entry.ClearField("raw_data")
    entry.data_location = TensorProto.EXTERNAL
    entry.external_data.append(onnx.StringStringEntryProto(key="location", value="nowhere.bin"))


@damage
def data_in_a_file_outside_the_folder(model: onnx.ModelProto) -> None:
    data_in_a_file_that_is_missing(model)
    constants(model, 4)[0].external_data[0].value = "../../etc/hostname"


def _type(number: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        for entry in constants(model, 4):
            entry.data_type = number

    return change


for _number in (0, 8, 9, 14, 16, 17, 22, 99, -1):
    DAMAGE[f"constants_of_type_{_number}"] = _type(_number)


@damage
def boundaries_of_type_99(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = 99


@damage
def an_input_that_is_a_sequence(model: onnx.ModelProto) -> None:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 3, 8, 8]))
    model.graph.input[0].type.CopyFrom(kind)


@damage
def slice_lists_of_different_lengths(model: onnx.ModelProto) -> None:
    rewrite(table(model, "Slice", 2), [7])


@damage
def slice_axes_that_are_missing(model: onnx.ModelProto) -> None:
    rewrite(table(model, "Slice", 3), [2, 9])


@damage
def slice_steps_of_zero(model: onnx.ModelProto) -> None:
    rewrite(table(model, "Slice", 4), [0, 1])


@damage
def slice_starts_in_reals(model: onnx.ModelProto) -> None:
    rewrite(table(model, "Slice", 1), [1.5, 1.5], np.float32)


@damage
def pad_lists_of_another_length(model: onnx.ModelProto) -> None:
    rewrite(table(model, "Pad", 1), [1, 1, 1])


@damage
def pads_beyond_all_memory(model: onnx.ModelProto) -> None:
    rewrite(table(model, "Pad", 1), [0, 0, 2**40, 0, 0, 0, 0, 0])


@damage
def a_reshape_that_does_not_fit(model: onnx.ModelProto) -> None:
    rewrite(table(model, "Reshape", 1), [0, 77])


@damage
def a_reshape_with_two_unknowns(model: onnx.ModelProto) -> None:
    rewrite(table(model, "Reshape", 1), [-1, -1])


@damage
def a_reshape_to_text(model: onnx.ModelProto) -> None:
    entry = table(model, "Reshape", 1)
    entry.CopyFrom(helper.make_tensor(entry.name, TensorProto.STRING, [2], [b"0", b"-1"]))


@damage
def kernels_of_another_rank(model: onnx.ModelProto) -> None:
    attribute = next(item for item in node(model, "Conv").attribute if item.name == "kernel_shape")
    attribute.ints[:] = [3]


@damage
def pads_of_another_rank(model: onnx.ModelProto) -> None:
    attribute = next(item for item in node(model, "Conv").attribute if item.name == "pads")
    attribute.ints[:] = [1, 1, 1]


@damage
def strides_of_zero(model: onnx.ModelProto) -> None:
    attribute = next(item for item in node(model, "Conv").attribute if item.name == "strides")
    attribute.ints[:] = [0, 0]


@damage
def groups_of_zero(model: onnx.ModelProto) -> None:
    conv = node(model, "Conv")
    kept = [AttributeProto.FromString(item.SerializeToString()) for item in conv.attribute if item.name != "group"]
    del conv.attribute[:]
    conv.attribute.extend([*kept, helper.make_attribute("group", 0)])


@damage
def attributes_of_another_type(model: onnx.ModelProto) -> None:
    for entry in model.graph.node:
        for item in entry.attribute:
            item.CopyFrom(helper.make_attribute(item.name, "text"))


@damage
def attributes_that_are_tensors(model: onnx.ModelProto) -> None:
    for entry in model.graph.node:
        for item in entry.attribute:
            item.CopyFrom(helper.make_attribute(item.name, numpy_helper.from_array(np.zeros(2))))


@damage
def attributes_without_a_type(model: onnx.ModelProto) -> None:
    for entry in model.graph.node:
        for item in entry.attribute:
            item.ClearField("type")


@damage
def an_axis_far_outside(model: onnx.ModelProto) -> None:
    next(item for item in node(model, "Concat").attribute if item.name == "axis").i = 2**40


@damage
def undefined_inputs_with_an_old_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 9
    node(model, "Conv").input[0] = "nowhere"


@damage
def no_inputs_with_an_old_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 10
    del model.graph.input[:]


@damage
def an_opset_of_the_far_future(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 2**40
    node(model, "Concat").op_type = "Concatenate"


@damage
def nodes_without_inputs(model: onnx.ModelProto) -> None:
    for entry in model.graph.node:
        del entry.input[:]


@damage
def nodes_without_outputs(model: onnx.ModelProto) -> None:
    del node(model, "Concat").output[:]


@damage
def nodes_without_operators(model: onnx.ModelProto) -> None:
    node(model, "Concat").op_type = ""


@damage
def a_circle(model: onnx.ModelProto) -> None:
    first = node(model, "Conv")
    first.input[0] = node(model, "Concat").output[0]


@damage
def a_value_written_twice(model: onnx.ModelProto) -> None:
    node(model, "Slice").output[0] = node(model, "Conv").output[0]


@damage
def an_output_that_nobody_writes(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "nowhere"


@damage
def a_function_that_calls_itself(model: onnx.ModelProto) -> None:
    inner = helper.make_node("Loop", ["a"], ["b"], domain="own")
    model.functions.append(
        helper.make_function(
            "own", "Loop", ["a"], ["b"], [inner], [helper.make_opsetid("own", 1), model.opset_import[0]]
        )
    )
    model.opset_import.append(helper.make_opsetid("own", 1))
    concat = node(model, "Concat")
    concat.CopyFrom(helper.make_node("Loop", [concat.input[0]], [concat.output[0]], domain="own"))


def spoiled(name: str, folder: Path, *, quantized: bool) -> Path:
    model = float_model()
    if quantized:
        model = write_qdq(model, 8, Style())
    DAMAGE[name](model)
    path = folder / "damaged.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def assert_one_error_of_ours(action: Callable[[], object]) -> None:
    with pytest.raises(SimaError) as caught:
        action()
    assert not isinstance(caught.value, InternalError), str(caught.value)
    assert isinstance(caught.value, ModelError | UnsupportedError | CalibrationError)


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_quantized_model(tmp_path: Path, name: str) -> None:
    path = spoiled(name, tmp_path, quantized=True)
    assert_one_error_of_ours(lambda: Model.from_onnx(path))


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_float_model(tmp_path: Path, name: str) -> None:
    path = spoiled(name, tmp_path, quantized=False)
    samples = [random_inputs(float_model(), 1, np.random.default_rng(0))]
    assert_one_error_of_ours(lambda: quantize(path, samples))


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_model_on_the_command_line(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = spoiled(name, tmp_path, quantized=True)
    out = tmp_path / "out"
    out.mkdir()
    assert main(["compile", str(path), "-o", str(out), "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["type"] in ("ModelError", "UnsupportedError")
    assert not list(out.iterdir())


@pytest.mark.parametrize("where", ["image", "small", "Conv_0", "kernel_shape"])
def test_names_that_are_no_text(tmp_path: Path, where: str) -> None:
    """The first letter of a name becomes a byte that no UTF-8 text holds."""
    model = write_qdq(float_model(), 8, Style())
    data = model.SerializeToString()
    assert where.encode() in data
    path = tmp_path / "damaged.onnx"
    path.write_bytes(data.replace(where.encode(), b"\xff" + where.encode()[1:]))
    assert_one_error_of_ours(lambda: Model.from_onnx(path))


@pytest.mark.parametrize("field", ["clock_mhz", "quads", "dram_bytes_per_cycle", "sram_bytes_per_quad"])
@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1e5000", "0x" + "f" * 5000, ".inf", ".nan"])
def test_a_number_of_5000_digits_in_a_machine_file(tmp_path: Path, field: str, number: str) -> None:
    lines = Machine.load("tiny").text.splitlines()
    path = tmp_path / "huge.yaml"
    path.write_text(
        "\n".join(f"{field}: {number}" if line.startswith(f"{field}:") else line for line in lines), "utf-8"
    )
    with pytest.raises(MachineError) as caught:
        Machine.load(path)
    assert len(str(caught.value)) < 1000
