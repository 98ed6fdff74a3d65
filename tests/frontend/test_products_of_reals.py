"""Products that onnxruntime computes of reals: one step off at most, given its own input, and rarely."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Model
from sima_compiler.errors import UnsupportedError
from sima_compiler.frontend.float_inside import FLOAT_INSIDE
from sima_compiler.ir.graph import Op
from tests.support.fed_nodes import assert_fed_nodes_agree, assert_one_step_at_most
from tests.support.judges import assert_reference_agrees
from tests.support.on_mla import on_mla
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

Build = Callable[[QdqGraph], str]


def reals(net: QdqGraph, *shape: int) -> str:
    return net.constant(net.random.normal(0, 0.5, shape), np.float32)


def integers(net: QdqGraph, outputs: int) -> str:
    """A bias as integers in the unit of the product."""
    unit = net.constant(np.float32(0.02) * np.float32(0.01))
    return net.op("DequantizeLinear", net.constant(net.random.integers(-3000, 3000, outputs), np.int32), unit)


def gemm(net: QdqGraph, *bias: str, **attributes: float) -> str:
    return net.op("Gemm", net.input((64,)), net.weights((64, 40), axis=1), *bias, **attributes)


FACTORS: dict[str, Build] = {
    "doubled": lambda net: gemm(net, reals(net, 40), alpha=2.0),
    "a fraction": lambda net: gemm(net, alpha=0.37),
    "half of the bias": lambda net: gemm(net, reals(net, 40), beta=0.5),
    "a row of reals": lambda net: gemm(net, reals(net, 1, 40)),
    "integers, doubled": lambda net: net.op(
        "Gemm", net.input((64,)), net.weights((64, 40)), integers(net, 40), alpha=0.5, beta=2.0
    ),
    "rectified": lambda net: net.op("Relu", gemm(net, reals(net, 40), alpha=0.25, beta=0.35)),
}


def network(build: Build, kind: type = UINT8, seed: int = 0) -> onnx.ModelProto:
    net = QdqGraph(kind, seed=seed)
    net.output(net.pair(build(net), 0.0217, 3))
    return net.model()


@pytest.mark.parametrize("name", FACTORS)
def test_factors_of_a_product(name: str, tmp_path: Path) -> None:
    source = network(FACTORS[name], (UINT8, INT8)[len(name) % 2], len(name))
    model = Model.from_onnx(source)
    assert model.graph.nodes[0].op is Op.REAL_GEMM
    assert_fed_nodes_agree(source, tmp_path, batch=3, model=model)
    assert_fed_nodes_agree(source, batch=200, model=model)


@pytest.mark.parametrize("shape", [(12, 9), (3, 12, 9), (2, 3, 12, 5)])
@pytest.mark.parametrize("kind", [UINT8, INT8])
def test_a_constant_on_the_left(shape: tuple[int, ...], kind: type, tmp_path: Path) -> None:
    source = network(lambda net: net.op("MatMul", net.weights((20, 12)), net.input(shape)), kind)
    model = Model.from_onnx(source)
    assert Op.REAL_GEMM in [node.op for node in model.graph.nodes]
    assert_one_step_at_most(source, model, batch=20, share=FLOAT_INSIDE[Op.REAL_GEMM].share)
    model.compile(str(tmp_path), 2, machine="tiny")


def test_a_constant_on_the_left_as_it_should_be() -> None:
    rows = network(lambda net: net.op("MatMul", net.weights((2, 20, 12)), net.input((2, 12, 9))))
    with pytest.raises(UnsupportedError, match="one matrix with one scale"):
        on_mla(rows)
    features = network(lambda net: net.op("MatMul", net.weights((20, 12)), net.input((12,))))
    with pytest.raises(UnsupportedError, match="first dimension"):
        on_mla(features)


@pytest.mark.parametrize("equation", ["bchw->bc", "bij->bji", "bchw->bwc", "bchw->bhwc"])
def test_einsum_of_one_operand(equation: str) -> None:
    rank = equation.index("-")
    net = QdqGraph(seed=rank)
    net.output(net.pair(net.op("Einsum", net.input((6, 5, 7)[: rank - 1]), equation=equation), 0.1, 3))
    source = net.model()
    if set(equation[:rank]) == set(equation[rank + 2 :]):
        assert_reference_agrees(source)
    else:
        assert_one_step_at_most(source, Model.from_onnx(source), batch=8, share=FLOAT_INSIDE[Op.REDUCE_SUM].share)
