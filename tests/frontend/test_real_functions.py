"""Float32 arithmetic between DequantizeLinear and QuantizeLinear: read as tables, equal to onnxruntime on the file.

onnxruntime runs such nodes as they stand, in float32; the tables must hold what it computes for each of the 256 bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Model
from sima_compiler.errors import UnsupportedError
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.on_mla import on_mla
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

Build = Callable[[QdqGraph, str], str]
SHAPE = (6, 20, 20)


def real(net: QdqGraph, value: object) -> str:
    return net.constant(value, np.float32)


def channels(net: QdqGraph, low: float = -1.0, high: float = 1.0) -> str:
    return real(net, net.random.uniform(low, high, (SHAPE[0], 1, 1)))


@dataclass(frozen=True, slots=True)
class Scales:
    """Of the two inputs and of the result, and the result's zero point."""

    first: float
    second: float
    result: float
    zero: int


#: Powers of two around an odd zero point: sums and products fall half-way between two steps, where every order of
#: roundings shows.
TIES = Scales(2**-6, 2**-6, 2**-5, -21)
ANY = Scales(0.0173, 0.0131, 0.0113, -20)


class Pen(QdqGraph):
    """A graph whose inputs have the scales of the case."""

    def __init__(self, kind: type, seed: int, scales: Scales) -> None:
        super().__init__(kind, seed=seed)
        self.scales = scales


def other(net: QdqGraph, shape: tuple[int, ...] = SHAPE) -> str:
    assert isinstance(net, Pen)
    return net.input(shape, "other", scale=net.scales.second, zero=-40)


def normalize(net: QdqGraph, x: str, **attributes: float) -> str:
    low_high = [(0.5, 2.0), (-1.0, 1.0), (-1.0, 1.0), (0.2, 3.0)]
    vectors = [real(net, net.random.uniform(low, high, SHAPE[0])) for low, high in low_high]
    return net.op("BatchNormalization", x, *vectors, **attributes)


def relu6(net: QdqGraph, x: str) -> str:
    return net.op("Clip", net.op("Add", x, real(net, 3)), real(net, 0), real(net, 6))


def gate(net: QdqGraph, x: str) -> str:
    return net.pair(net.op("Sigmoid", x), 1 / 256, -128)


def gelu(net: QdqGraph, x: str) -> str:
    half = net.op("Mul", x, net.op("Add", net.op("Erf", net.op("Div", x, real(net, 2**0.5))), real(net, 1)))
    return net.op("Mul", half, real(net, 0.5))


def silu(net: QdqGraph, x: str) -> str:
    return net.op("Mul", x, net.op("Sigmoid", x))


def anchors(net: QdqGraph, x: str) -> str:
    """Box arithmetic of detectors: the centre of each cell in two rows, then a stride for each column."""
    flat = net.op("Reshape", x, net.constant([0, 2, -1], np.int64))
    cells = np.stack([np.resize(np.arange(30) + 0.5, 1200), np.repeat(np.arange(40) + 0.5, 30)])
    strides = np.repeat([0.01, 0.02, 0.04], 400)
    return net.op("Mul", net.op("Sub", real(net, cells[np.newaxis]), flat), real(net, strides))


#: One tensor and constants: every one becomes a single table, or one per channel.
CHAINS: dict[str, Build] = {
    "divided by a number": lambda net, x: net.op("Div", x, real(net, 3)),
    "a number divided": lambda net, x: net.op("Div", real(net, 0.3), x),
    "times a number": lambda net, x: net.op("Mul", real(net, 0.37), x),
    "plus a number": lambda net, x: net.op("Add", x, real(net, [0.37])),
    "a number minus": lambda net, x: net.op("Sub", real(net, 0.37), x),
    "divided by a quantized number": lambda net, x: net.op("Div", x, net.operand([[[17]]], 0.02)),
    "sum of one": lambda net, x: net.op("Sum", x),
    "sum with itself and a number": lambda net, x: net.op("Sum", x, real(net, 0.2), x),
    "negated": lambda net, x: net.op("Neg", x),
    "at least": lambda net, x: net.op("Max", x, real(net, -0.21)),
    "at most": lambda net, x: net.op("Min", real(net, 0.33), x, real(net, 0.4)),
    "absolute": lambda net, x: net.op("Abs", x),
    "square root": lambda net, x: net.op("Sqrt", net.op("Abs", x)),
    "reciprocal": lambda net, x: net.op("Reciprocal", x),
    "rounded": lambda net, x: net.op("Add", net.op("Floor", x), net.op("Round", net.op("Ceil", x))),
    "hard swish, divided last": lambda net, x: net.op("Div", net.op("Mul", x, relu6(net, x)), real(net, 6)),
    "hard swish, divided inside": lambda net, x: net.op("Mul", x, net.op("Div", relu6(net, x), real(net, 6))),
    "hard swish, multiplied": lambda net, x: net.op("Mul", net.op("Mul", relu6(net, x), x), real(net, 1 / 6)),
    "hard swish by HardSigmoid": lambda net, x: net.op("Mul", x, net.op("HardSigmoid", x, alpha=1 / 6, beta=0.5)),
    "hard swish, quantized inside": lambda net, x: net.op(
        "Mul", x, net.pair(net.op("Div", net.pair(relu6(net, x), 6 / 255, -128), real(net, 6)), 1 / 255, -128)
    ),
    "swish": lambda net, x: net.op("Mul", x, net.op("Sigmoid", x)),
    "swish, the other way round": lambda net, x: net.op("Mul", net.op("Sigmoid", x), x),
    "swish, quantized inside": lambda net, x: net.op("Mul", x, gate(net, x)),
    "swish of a multiple": lambda net, x: net.op("Mul", x, net.op("Sigmoid", net.op("Mul", x, real(net, 1.702)))),
    "sigmoid of a multiple, doubled": lambda net, x: net.op(
        "Mul", net.op("Sigmoid", net.op("Mul", x, real(net, 1.3))), real(net, 2)
    ),
    "leaky, then limited": lambda net, x: net.op(
        "Clip", net.op("LeakyRelu", x, alpha=0.1), real(net, -1), real(net, 4)
    ),
    "leaky, then rectified": lambda net, x: net.op("Relu", net.op("LeakyRelu", x, alpha=0.1)),
    "tanh, then rectified": lambda net, x: net.op("Relu", net.op("Tanh", x)),
    "hard swish, then limited": lambda net, x: net.op("Clip", net.op("HardSwish", x), real(net, 0), real(net, 1)),
    "sigmoid, then limited": lambda net, x: net.op("Clip", net.op("Sigmoid", x), real(net, 0.2), real(net, 0.6)),
    "limited, then leaky": lambda net, x: net.op("LeakyRelu", net.op("Clip", x, real(net, -0.7), real(net, 0.9))),
    "rectified, then sigmoid": lambda net, x: net.op("Sigmoid", net.op("Relu", x)),
    "functions through movements": lambda net, x: net.op(
        "Tanh", net.op("Transpose", net.op("Mul", net.op("Slice", x, *slices(net)), real(net, 2)), perm=[0, 3, 1, 2])
    ),
    "batch normalization": normalize,
    "batch normalization, then leaky": lambda net, x: net.op("LeakyRelu", normalize(net, x, epsilon=1e-3), alpha=0.2),
    "channels scaled and shifted": lambda net, x: net.op("Add", net.op("Mul", x, channels(net)), channels(net)),
    "channels centred and divided": lambda net, x: net.op(
        "Div", net.op("Sub", x, channels(net)), channels(net, 0.3, 2)
    ),
    "channels as a list of one image": lambda net, x: net.op(
        "Mul", x, real(net, net.random.uniform(-1, 1, (1, SHAPE[0], 1, 1)))
    ),
    "exponential": lambda net, x: net.op("Exp", x),
    "logarithm": lambda net, x: net.op("Log", net.op("Add", net.op("Abs", x), real(net, 0.3))),
    "error function": lambda net, x: net.op("Erf", x),
    "squared": lambda net, x: net.op("Pow", x, real(net, 2)),
    "a power": lambda net, x: net.op("Pow", net.op("Sigmoid", x), real(net, 1.5)),
    "soft plus, mish": lambda net, x: net.op("Mul", x, net.op("Tanh", net.op("Softplus", x))),
    "elu": lambda net, x: net.op("Elu", x, alpha=0.7),
    "selu and soft sign": lambda net, x: net.op("Softsign", net.op("Selu", x)),
    "gelu written out": gelu,
    "gelu of a multiple": lambda net, x: gelu(net, net.op("Mul", x, real(net, 1.5))),
    "swish of what is no tensor": lambda net, x: silu(net, net.op("Mul", x, real(net, 1.5))),
    "a box decoded": lambda net, x: net.op(
        "Mul", net.op("Pow", net.op("Mul", net.op("Sigmoid", x), real(net, 2)), real(net, 2)), channels(net, 0.1, 0.3)
    ),
    "sloped below zero": lambda net, x: net.op("PRelu", x, real(net, [0.21])),
    "channels sloped below zero": lambda net, x: net.op("PRelu", x, channels(net, -0.5, 1.0)),
    "channels sloped both ways": lambda net, x: net.op("PRelu", x, channels(net, 0.5, 1.7)),
    "a multiple, channels sloped": lambda net, x: net.op(
        "PRelu", net.op("Mul", x, real(net, 1.3)), real(net, net.random.uniform(0, 0.4, (1, SHAPE[0], 1, 1)))
    ),
    "rows scaled": lambda net, x: net.op("Mul", x, real(net, net.random.uniform(-1, 1, (SHAPE[1], 1)))),
    "columns scaled": lambda net, x: net.op("Mul", x, real(net, net.random.uniform(-1, 1, SHAPE[2]))),
    "a constant for every value": lambda net, x: net.op("Add", x, real(net, net.random.uniform(-1, 1, SHAPE))),
    "channels, then rows": lambda net, x: net.op(
        "Mul", net.op("Mul", x, channels(net)), real(net, net.random.uniform(-1, 1, (20, 1)))
    ),
    "a window over rows and columns, then rectified": lambda net, x: net.op(
        "Relu", net.op("Mul", x, real(net, net.random.uniform(-1, 1, (1, 1, 20, 20))))
    ),
    "anchors": anchors,
    "slopes for every value": lambda net, x: net.op("PRelu", x, real(net, net.random.uniform(-1, 1, SHAPE))),
    "slopes for every row": lambda net, x: net.op("PRelu", x, net.operand(net.random.integers(-9, 9, (20, 1)), 0.1)),
    "powers for every row and channel": lambda net, x: net.op(
        "Pow", net.op("Sigmoid", x), real(net, net.random.uniform(0, 3, (6, 20, 1)))
    ),
    "whole powers, a number each": lambda net, x: net.op("Pow", x, real(net, np.resize([1, 2, 3], (20, 1)))),
    "at least, for every column and channel": lambda net, x: net.op(
        "Max", x, real(net, net.random.uniform(-1, 1, (6, 1, 20)))
    ),
}


def slices(net: QdqGraph) -> list[str]:
    return [net.constant(values, np.int64) for values in ([1], [5], [1], [2])]


#: Two tensors: onnxruntime adds and multiplies bytes only where quantizations stand on all sides.
PAIRS: dict[str, Build] = {
    "sum of two": lambda net, x: net.op("Sum", x, other(net)),
    "quotient": lambda net, x: net.op("Div", x, other(net)),
    "larger": lambda net, x: net.op("Max", x, other(net)),
    "smaller, of a channel": lambda net, x: net.op("Min", x, other(net, (6, 1, 1))),
    "added behind rectifiers": lambda net, x: net.op("Add", net.op("Relu", x), net.op("Relu", other(net))),
    "multiplied behind a flattening": lambda net, x: net.op("Mul", net.op("Flatten", x), net.op("Flatten", other(net))),
    "added behind a transposition": lambda net, x: net.op(
        "Add", net.op("Transpose", x, perm=[0, 2, 3, 1]), net.op("Transpose", other(net), perm=[0, 2, 3, 1])
    ),
    "added, then flattened": lambda net, x: net.op("Flatten", net.op("Add", x, other(net))),
    "added, then reshaped": lambda net, x: net.op(
        "Reshape", net.op("Add", x, other(net)), net.constant([0, -1], np.int64)
    ),
    "added, then limited": lambda net, x: net.op("Clip", net.op("Add", x, other(net)), real(net, -0.3), real(net, 0.7)),
    "multiplied, then rectified": lambda net, x: net.op("Relu", net.op("Mul", x, other(net))),
    "subtracted, then limited": lambda net, x: net.op(
        "Clip", net.op("Sub", x, other(net)), real(net, 0), real(net, 0.7)
    ),
    "functions joined": lambda net, x: net.op(
        "Concat", net.op("Sigmoid", x), net.op("Mul", other(net), real(net, 2)), x, axis=1
    ),
    "a normalization of a sum": lambda net, x: normalize(net, net.pair(net.op("Add", x, other(net)), 0.03, 4)),
    "a gate by another": lambda net, x: net.op("Mul", x, gate(net, other(net, (6, 1, 1)))),
    "largest of three": lambda net, x: net.op("Max", x, other(net), net.input(SHAPE, "third", scale=0.01)),
    "smallest of three shapes and a number": lambda net, x: net.op(
        "Min", other(net, (1, 20, 1)), real(net, 0.6), x, net.input((6, 1, 1), "third", scale=0.01)
    ),
    "largest of two and a constant for every row": lambda net, x: net.op(
        "Max", x, other(net), real(net, net.random.uniform(-0.5, 0.5, (20, 1)))
    ),
    "largest of functions": lambda net, x: net.op("Max", net.op("Sigmoid", x), net.op("Mul", other(net), real(net, 2))),
    "larger of a sum, then rectified": lambda net, x: net.op(
        "Relu", net.op("Max", net.op("Add", x, other(net)), net.op("Neg", x))
    ),
    "smallest of rows and channels": lambda net, x: net.op(
        "Min", net.op("GlobalMaxPool", x), other(net, (1, 20, 20)), net.input((1, 1, 1), "third", scale=0.01)
    ),
}


def network(name: str, build: Build, kind: type = UINT8, scales: Scales = ANY) -> QdqGraph:
    net = Pen(kind, len(name), scales)
    net.output(net.pair(build(net, net.input(SHAPE, scale=scales.first, zero=3)), scales.result, scales.zero))
    return net


@pytest.mark.parametrize("scales", [ANY, TIES], ids=["any", "ties"])
@pytest.mark.parametrize("name", [*CHAINS, *PAIRS])
def test_equal_to_onnxruntime(name: str, scales: Scales) -> None:
    results = assert_reference_agrees(network(name, (CHAINS | PAIRS)[name], scales=scales).model())
    assert all(len(np.unique(array)) > 3 for array in results.values()), "the case is too small to tell anything"


@pytest.mark.parametrize(
    "name",
    [
        "hard swish, divided last",
        "batch normalization",
        "rows scaled",
        "quotient",
        "swish",
        "anchors",
        "a constant for every value",
        "a window over rows and columns, then rectified",
        "largest of functions",
        "smallest of three shapes and a number",
    ],
)
def test_the_archive_is_equal_too(name: str, tmp_path: Path) -> None:
    source = network(name, (CHAINS | PAIRS)[name], INT8).model()
    assert_judges_agree(source, tmp_path, batch=2, compress=True)
    assert_judges_agree(source, tmp_path, batch=1, compress=False, machine="tiny")


@pytest.mark.parametrize("name", CHAINS)
def test_int8_files_mean_the_same_and_survive_saving(name: str, tmp_path: Path) -> None:
    first = Model.from_onnx(network(name, CHAINS[name]).model())
    second = Model.from_onnx(network(name, CHAINS[name], INT8).model())
    second.save("net", str(tmp_path))
    third = Model.load("net", str(tmp_path))
    image = np.random.default_rng(2).standard_normal((1, *SHAPE)).astype(np.float32)
    results = [model.execute({"image": image})[0] for model in (first, second, third)]
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


@pytest.mark.parametrize("name", ["swish", "hard swish, divided inside", "sigmoid of a multiple, doubled"])
def test_one_table_each(name: str, tmp_path: Path) -> None:
    model = Model.from_onnx(network(name, CHAINS[name]).model())
    assert [str(node.op) for node in model.graph.nodes] == ["Table"]


def test_layers_are_called_after_what_they_do() -> None:
    def steps(name: str) -> tuple[object, ...]:
        return Model.from_onnx(network(name, CHAINS[name]).model()).graph.nodes[-1].attributes.steps

    assert steps("swish") == ("swish",)
    assert steps("hard swish, divided last") == steps("hard swish by HardSigmoid") == ("hard_swish",)
    assert steps("batch normalization, then leaky") == ("batch_normalization", "leaky_relu")


REFUSED: dict[str, tuple[Build, str]] = {
    "three tensors at once": (
        lambda net, x: net.op("Sum", x, other(net), net.input(SHAPE, "third", scale=0.01)),
        "QuantizeLinear stands behind each operator",
    ),
    "a function meets another tensor": (
        lambda net, x: net.op("Mul", x, net.op("Sigmoid", other(net))),
        "without a QuantizeLinear",
    ),
    "slopes that are computed": (
        lambda net, x: net.op("PRelu", x, other(net, (6, 1, 1))),
        "PRelu's slopes are constants",
    ),
    "training": (lambda net, x: normalize(net, x, training_mode=1), "constant statistics"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_a_rule(name: str) -> None:
    build, rule = REFUSED[name]
    with pytest.raises(UnsupportedError, match=rule):
        on_mla(network(name, build).model())
