"""Float models in the spellings of exporters: quantized here, and equal to onnxruntime on the file that was saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import quantize
from tests.networks.float_net import FloatNet
from tests.support.judges import assert_judges_agree, saved_file, signal_to_noise
from tests.support.qdq_writer import random_inputs

Build = Callable[[FloatNet, str], str]


def number(net: FloatNet, value: object) -> str:
    return net.constant(np.asarray(value, np.float32))


def shifted(net: FloatNet, x: str) -> str:
    return net.clip(net.binary("Add", x, number(net, 3)), 0.0, 6.0)


def hard_sigmoid(net: FloatNet, x: str) -> str:
    return net.unary("HardSigmoid", x, alpha=1 / 6, beta=0.5)


FORMS: dict[str, Build] = {
    "hard swish, divided last": lambda n, x: n.binary("Div", n.binary("Mul", x, shifted(n, x)), number(n, 6)),
    "hard swish, divided inside": lambda n, x: n.binary("Mul", x, n.binary("Div", shifted(n, x), number(n, 6))),
    "hard swish, multiplied": lambda n, x: n.binary("Mul", n.binary("Mul", shifted(n, x), x), number(n, 1 / 6)),
    "hard swish by HardSigmoid": lambda n, x: n.binary("Mul", hard_sigmoid(n, x), x),
    "swish": lambda n, x: n.binary("Mul", x, n.unary("Sigmoid", x)),
    "divided": lambda n, x: n.binary("Div", x, number(n, 3)),
    "a number divided": lambda n, x: n.binary("Div", number(n, 1), n.binary("Max", x, number(n, 0.5)), n.shapes[x]),
    "sum of three": lambda n, x: n.node("Sum", [x, n.conv(x, 6), x], n.shapes[x]),
    "sum of one": lambda n, x: n.node("Sum", [x], n.shapes[x]),
    "mean over the map": lambda n, x: n.node("ReduceMean", [x], (6,), axes=[2, 3], keepdims=0),
    "negated, limited": lambda n, x: n.binary("Min", n.binary("Max", n.unary("Neg", x), number(n, -1)), number(n, 2)),
    "leaky, then clipped": lambda n, x: n.clip(n.unary("LeakyRelu", x, alpha=0.1), -1, 4),
    "hard swish, then clipped": lambda n, x: n.clip(n.unary("HardSwish", x), 0, 6),
    "tanh, then rectified": lambda n, x: n.unary("Relu", n.unary("Tanh", x)),
    "sigmoid, then clipped": lambda n, x: n.clip(n.unary("Sigmoid", x), 0.2, 0.6),
    "blocks to depth": lambda n, x: n.node("SpaceToDepth", [x], (24, 4, 4), blocksize=2),
    "doubled products with half of a row": lambda n, x: n.node(
        "Gemm",
        [
            n.flatten(x),
            n.constant((n.random.standard_normal((384, 5)) * 0.05).astype(np.float32)),
            n.constant(n.random.standard_normal((1, 5)).astype(np.float32)),
        ],
        (5,),
        alpha=2.0,
        beta=0.5,
    ),
    "products without their bias": lambda n, x: n.node(
        "Gemm",
        [
            n.flatten(x),
            n.constant((n.random.standard_normal((384, 5)) * 0.05).astype(np.float32)),
            n.constant(np.full(5, 100, np.float32)),
        ],
        (5,),
        beta=0.0,
    ),
    "gathered": lambda n, x: n.node("Gather", [x, n.constant(np.array([5, 0, 1]))], (3, 8, 8), axis=1),
    "padded with a value": lambda n, x: n.node(
        "Pad", [x, n.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1])), number(n, -9)], (6, 10, 10)
    ),
}


def prepared(name: str, folder: Path) -> tuple[onnx.ModelProto, list[dict[str, np.ndarray]]]:
    net = FloatNet(len(name))
    x = FORMS[name](net, net.conv(net.input((4, 8, 8)), 6, 3))
    last = net.conv(x, 3) if len(net.shapes[x]) == 3 else x
    model = net.model([last])
    onnx.save(model, folder / "float.onnx")
    return model, [random_inputs(model, 4, np.random.default_rng(seed)) for seed in range(3)]


@pytest.mark.parametrize("name", FORMS)
def test_quantized_as_exporters_write_it(name: str, tmp_path: Path) -> None:
    source, samples = prepared(name, tmp_path)
    model = quantize(str(tmp_path / "float.onnx"), samples)
    assert_judges_agree(saved_file(model, tmp_path), tmp_path, batch=2, compress=True, model=model)
    assert min(signal_to_noise(source, model).values()) > 20
    assert not [warning for warning in model.graph.warnings if "float32" in warning]


@pytest.mark.parametrize("name", [name for name in FORMS if name.startswith("hard swish") and "clipped" not in name])
def test_every_spelling_is_one_hard_swish(name: str, tmp_path: Path) -> None:
    _, samples = prepared(name, tmp_path)
    model = quantize(str(tmp_path / "float.onnx"), samples)
    assert [str(node.op) for node in model.graph.nodes] == ["Conv", "HardSwish", "Conv"]


def test_a_gate_that_something_else_reads_stays(tmp_path: Path) -> None:
    net = FloatNet(3)
    x = net.conv(net.input((4, 8, 8)), 6, 3)
    gate = hard_sigmoid(net, x)
    model = net.model([net.binary("Mul", x, gate), gate])
    onnx.save(model, tmp_path / "float.onnx")
    found = quantize(str(tmp_path / "float.onnx"), [random_inputs(model, 2, np.random.default_rng(0))])
    assert "HardSwish" not in [str(node.op) for node in found.graph.nodes]
