"""Arithmetic on quantized constants is what onnxruntime computes: on bytes between pairs, else in float32."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from sima_compiler import Model
from sima_compiler.frontend import constant_reals, onnx_qdq
from tests.support.judges import assert_reference_agrees
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

SHAPE = (4, 40, 50)


def grid(net: QdqGraph, operator: str, *, quantized: bool) -> str:
    """Two constants of bytes under an operator, and a pair behind it or a function."""
    sides = [net.operand(net.random.integers(-128, 128, (1, *SHAPE)), 2**-6, zero) for zero in (3, -20)]
    value = net.op(operator, *sides)
    return net.pair(value, 2**-5 if operator == "Add" else 3 * 2**-10, -21) if quantized else net.op("Floor", value)


def network(operator: str, kind: type, *, quantized: bool) -> onnx.ModelProto:
    net = QdqGraph(kind, seed=len(operator))
    x = net.input(SHAPE, scale=2**-6)
    net.output(net.pair(net.op("Add", x, grid(net, operator, quantized=quantized)), 2**-5, 3))
    return net.model()


@pytest.mark.parametrize("kind", [UINT8, INT8])
@pytest.mark.parametrize("quantized", [True, False])
@pytest.mark.parametrize("operator", ["Add", "Mul", "Sub"])
def test_equal_to_onnxruntime(operator: str, quantized: bool, kind: type) -> None:
    assert_reference_agrees(network(operator, kind, quantized=quantized))


@pytest.mark.parametrize("operator", ["Add", "Mul"])
def test_bytes_and_reals_are_two_things(operator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On these steps they round to either side, so that the comparison above tells one from the other."""
    source = network(operator, UINT8, quantized=True)
    on_bytes = Model.from_onnx(source)
    monkeypatch.setattr(onnx_qdq.constant_reals, "quantized_pair", lambda *_: None)
    in_reals = Model.from_onnx(source)
    assert constant_reals is onnx_qdq.constant_reals
    image = np.zeros((1, *SHAPE), np.float32)
    assert (on_bytes.execute({"image": image})[0] != in_reals.execute({"image": image})[0]).any()
