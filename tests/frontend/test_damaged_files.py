"""Files that contradict themselves end in one error of ours: no traceback, no wrong numbers, no hang."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sima_compiler import Model, ModelError, SimaError
from sima_compiler.frontend.constants import tensors
from tests.support.qdq_graph import QdqGraph

Damage = Callable[[onnx.ModelProto], object]


def network(opset: int = 17) -> onnx.ModelProto:
    net = QdqGraph(opset=opset)
    x = net.pair(net.op("Conv", net.input((3, 8, 8)), net.weights((4, 3, 3, 3)), pads=[1, 1, 1, 1]))
    x = net.op("Slice", x, net.constant([1, 0]), net.constant([7, 8]), net.constant([2, 3]))
    x = net.pair(net.op("Pad", x, net.constant([0, 0, 1, 1, 0, 0, 1, 1])), 0.05, -7)
    x = net.op("Clip", net.op("Add", x, x), net.constant(-1, np.float32), net.constant(1, np.float32))
    net.output(net.pair(net.op("Reshape", net.pair(x), net.constant([0, -1])), 0.05, -7))
    return net.model()


def node(model: onnx.ModelProto, operator: str) -> onnx.NodeProto:
    return next(entry for entry in model.graph.node if entry.op_type == operator)


def read_by(model: onnx.ModelProto, operator: str, place: int) -> onnx.TensorProto:
    name = node(model, operator).input[place]
    return next(entry for entry in model.graph.initializer if entry.name == name)


def weights(model: onnx.ModelProto) -> onnx.TensorProto:
    return next(entry for entry in model.graph.initializer if len(entry.dims) == 4)


def set_constant(model: onnx.ModelProto, operator: str, place: int, array: np.ndarray) -> None:
    tensor = read_by(model, operator, place)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def set_dims(tensor: onnx.TensorProto, *dims: int) -> None:
    del tensor.dims[:]
    tensor.dims.extend(dims)


def set_attribute(target: onnx.NodeProto, name: str, value: object) -> None:
    kept = [entry for entry in target.attribute if entry.name != name]
    del target.attribute[:]
    target.attribute.extend([*kept, helper.make_attribute(name, value)])


def cycle(model: onnx.ModelProto) -> None:
    node(model, "Conv").input[0] = node(model, "Slice").output[0]


def rename_output(model: onnx.ModelProto) -> None:
    model.graph.node[3].output[0] = model.graph.node[0].output[0]


def add_function(model: onnx.ModelProto, calls: str) -> None:
    body = [helper.make_node(calls, ["a"], ["b"], domain="own")]
    sets = [helper.make_opsetid("own", 1), helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "Self", ["a"], ["b"], body, sets))
    model.opset_import.append(helper.make_opsetid("own", 1))
    call = node(model, "Clip")
    call.op_type, call.domain = "Self", "own"
    del call.input[1:]


#: What is done to a file -> a part of what is said about it.
DAMAGES: dict[str, tuple[Damage, str]] = {
    "too many weights": (lambda m: set_dims(weights(m), 2, 3, 3, 3), "does not make 2 x 3 x 3 x 3 of INT8"),
    "too few weights": (lambda m: set_dims(weights(m), 40, 3, 3, 3), "does not make 40 x 3 x 3 x 3"),
    "a negative size": (lambda m: set_dims(weights(m), -4, 3, 3, 3), "negative"),
    "a size beyond memory": (lambda m: set_dims(weights(m), 2**40, 2**40), "limit"),
    "cut data": (lambda m: setattr(weights(m), "raw_data", weights(m).raw_data[:50]), "does not make"),
    "no data": (lambda m: weights(m).ClearField("raw_data"), "does not make"),
    "type 0": (lambda m: setattr(weights(m), "data_type", 0), "element type 0"),
    "type 99": (lambda m: setattr(weights(m), "data_type", 99), "element type 99"),
    "text for weights": (lambda m: setattr(weights(m), "data_type", TensorProto.STRING), "4 x 3 x 3 x 3 of STRING"),
    "an input of type 0": (lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 0), "'image'"),
    "an input of type 99": (lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 99), "'image'"),
    "an input of text": (
        lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.STRING), "'image'",
    ),
    "an input that is a sequence": (
        lambda m: m.graph.input[0].type.sequence_type.elem_type.tensor_type.SetInParent(), "'image'",
    ),
    "starts without ends": (lambda m: set_constant(m, "Slice", 1, np.array([1])), "Slice"),
    "an axis that is not there": (lambda m: set_constant(m, "Slice", 3, np.array([2, 9])), "Slice"),
    "seven pads": (lambda m: set_constant(m, "Pad", 1, np.arange(7)), "Pad"),
    "pads of another rank": (lambda m: set_constant(m, "Pad", 1, np.zeros(6, np.int64)), "Pad"),
    "an empty limit": (lambda m: set_constant(m, "Clip", 1, np.zeros(0, np.float32)), "Clip"),
    "a target of two -1": (lambda m: set_constant(m, "Reshape", 1, np.array([-1, -1])), "Reshape"),
    "a target that does not fit": (lambda m: set_constant(m, "Reshape", 1, np.array([0, 7])), "Reshape"),
    "a target that copies too far": (lambda m: set_constant(m, "Reshape", 1, np.zeros(9, np.int64)), "Reshape"),
    "a value that nobody writes": (
        lambda m: node(m, "Conv").input.__setitem__(0, "ghost"), "'ghost' is produced by no earlier node",
    ),
    "an output that nobody writes": (lambda m: setattr(m.graph.output[0], "name", "ghost"), "'ghost'"),
    "nodes in a circle": (cycle, "cycle"),
    "a value that is written twice": (rename_output, "written twice"),
    "an initializer that is written twice": (lambda m: m.graph.initializer.append(weights(m)), "written twice"),
    "an input that is written twice": (lambda m: m.graph.input.append(m.graph.input[0]), "written twice"),
    "an initializer that a node writes": (
        lambda m: setattr(weights(m), "name", node(m, "Conv").output[0]), "written twice",
    ),
    "a product without weights": (lambda m: node(m, "Conv").input.pop(), "it has 1 inputs, expected 2 to 3"),
    "a quantizer without a scale": (lambda m: [node(m, "QuantizeLinear").input.pop() for _ in range(2)], "inputs"),
    "a nameless input": (lambda m: node(m, "Conv").input.__setitem__(1, ""), "'W' is missing"),
    "a nameless result": (lambda m: node(m, "Conv").output.__setitem__(0, ""), "no"),
    "a real axis": (lambda m: set_attribute(node(m, "QuantizeLinear"), "axis", 1.5), "'axis' is FLOAT, expected INT"),
    "strides of text": (lambda m: set_attribute(node(m, "Conv"), "strides", ["a", "b"]), "'strides' is STRINGS"),
    "three strides": (lambda m: set_attribute(node(m, "Conv"), "strides", [1, 1, 1]), "Conv"),
    "strides of zero": (lambda m: set_attribute(node(m, "Conv"), "strides", [0, 1]), "Conv"),
    "no groups": (lambda m: set_attribute(node(m, "Conv"), "group", 0), "Conv"),
    "an attribute twice": (
        lambda m: node(m, "Conv").attribute.append(helper.make_attribute("pads", [1, 1, 1, 1])), "given twice",
    ),
    "a function that calls itself": (lambda m: add_function(m, "Self"), "function"),
    "a function that is not there": (lambda m: add_function(m, "Other"), "Other"),
    "no operator set": (lambda m: m.ClearField("opset_import"), ""),
    "a scale that nobody knows": (lambda m: node(m, "QuantizeLinear").input.__setitem__(1, "image"), ""),
    "a list of scales": (lambda m: set_constant(m, "QuantizeLinear", 1, np.ones(5, np.float32)), "scales"),
    "a scale of bytes": (lambda m: set_constant(m, "QuantizeLinear", 1, np.ones((), np.int8)), "scale"),
    "no scale at all": (lambda m: set_constant(m, "QuantizeLinear", 1, np.zeros(0, np.float32)), "scale"),
    "a zero point of no type": (lambda m: set_constant(m, "QuantizeLinear", 2, np.zeros((), np.float32)), "float32"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_one_error_of_ours(name: str) -> None:
    damage, said = DAMAGES[name]
    model = network()
    damage(model)
    with pytest.raises(ModelError) as caught:
        Model.from_onnx(model, "damaged")
    assert said in str(caught.value)
    assert "Error:" not in str(caught.value), "a bare Python error shines through"


@pytest.mark.parametrize("opset", [8, 10, 12, 13])
def test_an_undefined_input_whatever_the_operator_set(opset: int) -> None:
    model = network(opset)
    node(model, "Conv").input[1] = "ghost"
    with pytest.raises(ModelError, match="'ghost' is produced by no earlier node"):
        Model.from_onnx(model)


def test_an_operator_set_of_nobody() -> None:
    """The converter of old files then finds no definition of any node."""
    net = QdqGraph()
    net.output(net.pair(net.op("Sigmoid", net.input((3,)))))
    model = net.model()
    model.opset_import[0].domain = "nobody"
    with pytest.raises(ModelError, match="cannot be converted"):
        Model.from_onnx(model)


@pytest.mark.parametrize("text", ["image", "conv_", "node_Conv", "Conv", "strides", "small", "exporter", "domain"])
def test_names_that_are_no_text(text: str, tmp_path: Path) -> None:
    model = network()
    set_attribute(node(model, "Conv"), "strides", [1, 1])
    model.producer_name = "exporter"
    model.opset_import.append(helper.make_opsetid("domain", 1))
    data = model.SerializeToString().replace(text.encode(), b"\xff" + text.encode()[1:])
    path = tmp_path / "bytes.onnx"
    path.write_bytes(data)
    with pytest.raises(SimaError):
        Model.from_onnx(path)
    with pytest.raises(SimaError):
        Model.from_onnx(onnx.load_model_from_string(data))


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes"),
    [
        ("ConstantOfShape", [np.array([2**20, 2**20])], {}),
        ("Expand", [np.zeros((1, 1), np.float32), np.array([2**20, 2**20])], {}),
        ("Tile", [np.zeros((1, 1), np.float32), np.array([2**20, 2**20])], {}),
        ("Range", [np.int64(0), np.int64(2**40), np.int64(1)], {}),
        ("MatMul", [np.zeros((2**17, 1), np.float32), np.zeros((1, 2**17), np.float32)], {}),
        ("Pad", [np.zeros((1, 1), np.float32), np.array([0, 0, 2**20, 2**20])], {}),
        ("Resize", [np.zeros((1, 1, 1, 1), np.float32), None, np.float32([1, 1, 2**16, 2**16])], {}),
        ("OneHot", [np.zeros(2**16, np.int64), np.int64(2**20), np.float32([0, 1])], {}),
    ],
)
def test_results_beyond_the_limit_are_refused_before_they_are_computed(operator, inputs, attributes) -> None:
    net = QdqGraph()
    names = ["" if array is None else net.constant(array) for array in inputs]
    big = net.op(operator, *names, **attributes)
    small = net.op("ReduceMax", big, keepdims=0)
    net.output(net.pair(net.op("Mul", net.input((3,)), net.op("Cast", small, to=TensorProto.FLOAT))))
    with pytest.raises(ModelError, match=r"limit is 1,073,741,824|cannot be known"):
        Model.from_onnx(net.model())


@pytest.mark.parametrize("operator", ["Gather", "Concat", "ConstantOfShape", "Shape", "Reshape"])
def test_the_limit_holds_for_every_way_to_make_a_constant(operator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit of 1,000 bytes; what does not grow is not what goes over it."""
    monkeypatch.setattr(tensors, "LARGEST_CONSTANT", 1000)
    net = QdqGraph()
    data = net.constant(np.zeros((1, 60)), np.float32)
    if operator == "Gather":
        big = net.op("Gather", data, net.constant(np.zeros(5, np.int64)), axis=0)
    elif operator == "Concat":
        big = net.op("Concat", *[data] * 5, axis=0)
    elif operator == "ConstantOfShape":
        big = net.op("ConstantOfShape", net.constant([251]))
    else:
        big = net.op("Reshape", data, net.constant([60])) if operator == "Reshape" else net.op("Shape", data)
    largest = net.op("ReduceMax", net.op("Cast", big, to=TensorProto.FLOAT), keepdims=0)
    net.output(net.pair(net.op("Add", net.input((3,)), largest)))
    if operator in ("Shape", "Reshape"):
        assert Model.from_onnx(net.model())
    else:
        with pytest.raises(ModelError, match="the limit is 1,000"):
            Model.from_onnx(net.model())
