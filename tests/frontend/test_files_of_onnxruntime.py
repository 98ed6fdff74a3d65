"""Files as `quantize_static` writes them: every operator set, both forms, both types of activations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType

from sima_compiler import Model
from tests.support.judges import assert_reference_agrees
from tests.support.oracle import quantize_by_onnxruntime


def float_network(opset: int) -> onnx.ModelProto:
    """Conv, Relu, mean, Squeeze (whose axes moved from attribute to input), MatMul, Softmax."""
    random = np.random.default_rng(opset)
    constants = {"w": random.standard_normal((4, 3, 3, 3)) / 5, "m": random.standard_normal((4, 5))}
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()]
    tensors.append(numpy_helper.from_array(np.array([2, 3]), "axes"))
    old = opset < 13
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["c"], "conv"),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node(
            "Squeeze", ["p"] if old else ["p", "axes"], ["s"], "squeeze", **({"axes": [2, 3]} if old else {})
        ),
        helper.make_node("MatMul", ["s", "m"], ["logits"], "dense"),
        helper.make_node("Softmax", ["logits"], ["probability"], "softmax"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8])
    probability = helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n", 5])
    graph = helper.make_graph(nodes, "net", [image], [probability], tensors[: 2 if old else 3])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


@pytest.mark.parametrize("activation", [QuantType.QInt8, QuantType.QUInt8])
@pytest.mark.parametrize("operators", [False, True], ids=["qdq", "qoperator"])
@pytest.mark.parametrize("opset", [10, 12, 13, 21])
def test_reference_equals_onnxruntime(tmp_path: Path, opset: int, operators: bool, activation: QuantType) -> None:
    random = np.random.default_rng(1)
    batches = [{"image": random.standard_normal((1, 3, 8, 8), dtype=np.float32)} for _ in range(2)]
    quantized = quantize_by_onnxruntime(
        float_network(opset), batches, tmp_path, operators=operators, per_channel=opset >= 13, activation=activation
    )
    model = Model.from_onnx(quantized, "net")
    assert model.graph.outputs == ("probability",)
    assert_reference_agrees(quantized, batch=3, model=model)
    saved = onnx.load_from_string(model.save("net", tmp_path).read_bytes())
    onnx.checker.check_model(saved, full_check=True)
    assert {entry.domain for entry in saved.opset_import if entry.domain not in ("", "ai.onnx.ml")} <= {"com.microsoft"}
    assert all(not node.domain for node in saved.graph.node)
