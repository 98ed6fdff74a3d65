"""Inputs and outputs: names, what is cut, bytes at the boundary, and outputs that are used again."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from sima_compiler import Model, ModelError, UnsupportedError, quantize
from sima_compiler.frontend.canonical import canonical
from sima_compiler.frontend.onnx_qdq import graph_from_onnx
from tests.support.judges import assert_reference_agrees, model_inputs
from tests.support.oracle import run_onnxruntime
from tests.support.qdq_graph import INT8, QdqGraph


def softmax_at_the_end() -> tuple[QdqGraph, str, str]:
    """A network, its logits and its output."""
    net = QdqGraph()
    logits = net.op("MatMul", net.input((6,)), net.weights((6, 5)))
    probability = net.op("Softmax", net.pair(logits, 0.02, 4))
    return net, logits, net.output(net.op("Reshape", probability, net.constant([-1, 5, 1])))


def test_a_last_softmax_that_gives_reals_runs_on_the_a65_and_keeps_its_name() -> None:
    net, logits, output = softmax_at_the_end()
    model = Model.from_onnx(net.model())
    assert model.network.outputs == (output,)
    assert model.graph.outputs == (logits,)
    assert [found.operator for found in model.network.placements] == ["Softmax", "Reshape"]
    assert model.network.verdict.startswith("1 MLA segment, 2 host layers in 1 A65 segment")
    assert model.outputs == {output: (5, 1)}
    assert_reference_agrees(net.model(), model=model)


def test_with_the_mla_alone_a_network_ends_under_the_name_of_the_last_tensor() -> None:
    net, logits, _ = softmax_at_the_end()
    model = Model.from_onnx(net.model(), mla_only=True)
    assert model.network.outputs == model.graph.outputs == (logits,)
    assert len(model.graph.cut) == 2
    assert all(logits in found for found in model.graph.cut)
    assert not any(node.op_type == "Softmax" for node in model.to_onnx().graph.node)
    assert_reference_agrees(net.model(), model=model)


def test_a_last_softmax_that_is_quantized_runs_under_the_name_of_the_output() -> None:
    net = QdqGraph()
    logits = net.op("MatMul", net.input((6,)), net.weights((6, 5)))
    probability = net.pair(net.op("Softmax", net.pair(logits, 0.02, 4)), 1 / 256, -128)
    net.output(probability)
    model = Model.from_onnx(net.model())
    assert model.graph.outputs == (probability,)
    assert not model.graph.cut
    assert_reference_agrees(net.model(), model=model)


def test_softmax_beside_the_logits_it_was_made_from() -> None:
    net = QdqGraph()
    logits = net.pair(net.op("MatMul", net.input((6,)), net.weights((6, 5))), 0.02, 4)
    probability = net.output(net.op("Softmax", logits))
    net.output(logits)
    model = Model.from_onnx(net.model())
    assert model.graph.outputs == (logits,)
    assert model.network.outputs == (probability, logits)
    assert_reference_agrees(net.model(), model=model)


def test_softmax_in_the_middle() -> None:
    net = QdqGraph()
    x = net.pair(net.op("Softmax", net.input((6,))), 1 / 256, -128)
    net.output(net.pair(net.op("MatMul", x, net.weights((6, 5)))))
    assert_reference_agrees(net.model())


def test_an_unquantized_softmax_in_the_middle_is_the_a65s_with_what_reads_its_reals() -> None:
    net = QdqGraph()
    output = net.output(net.pair(net.op("MatMul", net.op("Softmax", net.input((6,))), net.weights((6, 5)))))
    with pytest.raises(UnsupportedError, match="QuantizeLinear"):
        graph_from_onnx(canonical(net.model()), "net")
    model = Model.from_onnx(net.model())
    assert [found.operator for found in model.network.placements] == ["Softmax", "MatMul"]
    assert all("QuantizeLinear" in found.reason for found in model.network.placements)
    assert model.network.outputs == (output,)


def bytes_network(kind: type) -> QdqGraph:
    """As TensorFlow exports it: bytes in channels-last order in and out, the scales stated inside."""
    net = QdqGraph(kind, batch=1)
    image = net.float_input((6, 5, 3))
    net.inputs[0].type.tensor_type.elem_type = TensorProto.INT8 if kind is INT8 else TensorProto.UINT8
    x = net.dequantize(net.op("Transpose", image, perm=[0, 3, 1, 2]), 0.02, 3)
    x = net.op("Clip", net.op("Conv", x, net.weights((4, 3, 3, 3), axis=0)), net.constant(0, np.float32),
               net.constant(6, np.float32))  # fmt: skip
    pooled = net.pair(net.op("GlobalAveragePool", net.pair(x, 0.03, -128)), 0.004, -100)
    x = net.op("Squeeze", net.quantize(pooled, 0.004, -100), net.constant([2, 3], np.int64))
    net.output(x, dtype=net.inputs[0].type.tensor_type.elem_type)
    return net


@pytest.mark.parametrize("kind", [INT8, np.uint8])
def test_bytes_at_the_boundary_get_the_scale_that_their_neighbours_state(kind: type) -> None:
    net = bytes_network(kind)
    source = net.model()
    model = Model.from_onnx(source)
    assert model.inputs == {"image": (6, 5, 3)}
    assert model.graph.tensors["image"].quant.zero_point == 3
    assert_reference_agrees(net.model(), model=model)
    real = model_inputs(model, 1, 4)
    quant = model.graph.tensors["image"].quant
    stored = np.clip(np.rint(real["image"] / np.float32(quant.scale)) + 3, -128, 127) + (0 if kind is INT8 else 128)
    if kind is np.uint8:
        (expected,) = run_onnxruntime(source, {"image": stored.astype(kind)}).values()
        (found,) = model.execute(real)
        assert np.array_equal((expected.astype(np.float32) - 28) * np.float32(0.004), found)


def test_an_input_that_is_an_output() -> None:
    net = QdqGraph()
    x = net.input((3, 4))
    net.output(x)
    net.output(net.pair(net.op("Sigmoid", x), 1 / 256, -128))
    model = Model.from_onnx(net.model())
    assert len(set(model.graph.outputs)) == 2
    assert_reference_agrees(net.model(), model=model)


def test_one_tensor_under_two_output_names() -> None:
    net = QdqGraph()
    x = net.quantize(net.op("Sigmoid", net.input((3, 4))), 1 / 256, -128)
    net.output(net.dequantize(x, 1 / 256, -128))
    net.output(net.dequantize(x, 1 / 256, -128))
    model = Model.from_onnx(net.model())
    assert list(model.graph.outputs) == [value.name for value in net.outputs]
    assert_reference_agrees(net.model(), model=model)


def test_an_input_that_reaches_nothing_is_left_out_with_a_warning() -> None:
    net = QdqGraph()
    net.float_input((3,), "idle")
    net.output(net.pair(net.op("Sigmoid", net.input((3, 4)))))
    model = Model.from_onnx(net.model())
    assert model.graph.inputs == ("image",)
    assert any("'idle'" in warning for warning in model.graph.warnings)


def test_what_no_output_needs_is_left_out() -> None:
    net = QdqGraph()
    x = net.input((3, 4))
    idle = net.pair(net.op("Tanh", net.input((3, 4), "unread")))
    net.pair(net.op("Add", idle, x))
    net.output(net.pair(net.op("Sigmoid", x)))
    graph = Model.from_onnx(net.model()).graph
    assert [node.op for node in graph.nodes] == ["Sigmoid"]
    assert set(graph.tensors) == {"image", *graph.outputs}
    assert graph.inputs == ("image",)
    assert any("'unread'" in warning for warning in graph.warnings)


def test_an_operator_without_quantization_behind_it() -> None:
    net = QdqGraph()
    x = net.op("Tanh", net.op("Gemm", net.input((4,)), net.weights((4, 5))))
    net.output(net.pair(x))
    with pytest.raises(UnsupportedError, match="without a QuantizeLinear") as caught:
        graph_from_onnx(canonical(net.model()), "net")
    assert caught.value.operator == "Tanh"
    assert caught.value.hint
    placed = Model.from_onnx(net.model()).network.placements
    assert [found.operator for found in placed] == ["Gemm", "Tanh"]
    assert all(found.remedy for found in placed)


def test_a_constant_output_is_refused() -> None:
    net = QdqGraph()
    net.output(net.pair(net.op("Sigmoid", net.input((3, 4)))))
    net.output(net.operand([1, 2], 0.1))
    with pytest.raises(ModelError, match="does not depend on any input"):
        Model.from_onnx(net.model())


def test_nodes_without_names_get_one_each() -> None:
    """onnxruntime refuses a file in which two nodes are called alike, and so must not be what we export."""
    net = QdqGraph()
    net.output(net.pair(net.op("Sigmoid", net.pair(net.op("Tanh", net.input((3, 4)))))))
    source = net.model()
    for node in source.graph.node:
        node.name = ""
    names = [node.name for node in Model.from_onnx(source).to_onnx().graph.node]
    assert len(set(names)) == len(names)


def test_an_input_that_is_cut_before_it_is_quantized_keeps_to_one_scale() -> None:
    """Slices of the input, as a focus layer makes them: one scale reads exactly, two are refused with the way out."""

    def halves(second: float) -> QdqGraph:
        net = QdqGraph()
        image = net.float_input((4, 4, 4))
        parts: list[str] = []
        for start, scale in ((0, 0.02), (2, second)):
            bounds = [net.constant([number], np.int64) for number in (start, start + 2, 2)]
            parts.append(net.pair(net.op("Slice", image, *bounds), scale, 3))
        net.output(net.pair(net.op("Add", *parts), 0.05, 1))
        return net

    assert_reference_agrees(halves(0.02).model())
    with pytest.raises(UnsupportedError) as caught:
        graph_from_onnx(canonical(halves(0.03).model()), "halves")
    assert caught.value.rule == "an input of the network is quantized with one scale and one zero point"
    assert "simac quantize MODEL" in caught.value.hint


def test_our_own_quantizer_quantizes_an_input_before_it_is_cut() -> None:
    """What the hint of that refusal promises, with halves of very different ranges."""
    cut = [helper.make_node("Slice", ["image", start, end, "axes"], [end + "_half"]) for start, end in ("ab", "bc")]
    cut.append(helper.make_node("Add", ["b_half", "c_half"], ["sum"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 4, 4, 4])
    total = helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["batch", 4, 2, 4])
    numbers = {"a": 0, "b": 2, "c": 4, "axes": 2}
    constants = [numpy_helper.from_array(np.array([number], np.int64), name) for name, number in numbers.items()]
    graph = helper.make_graph(cut, "halves", [image], [total], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    samples = np.random.default_rng(0).standard_normal((2, 4, 4, 4)).astype(np.float32)
    samples[:, :, 2:] *= 20
    assert quantize(model, [{"image": samples}]).outputs == {"sum": (4, 2, 4)}
