"""The integer reference itself: inputs are checked, sums are exact, the batch does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from sima_compiler import InputError, Model
from sima_compiler.ir.graph import ConvAttributes, Graph, Node, Op, Quantization, Tensor, Weights
from sima_compiler.sim.reference import exact_type, run_graph, run_node
from tests.support.qdq_graph import QdqGraph


def small_graph() -> Graph:
    net = QdqGraph(seed=4)
    x, y = net.input((3, 6, 5)), net.input((3, 6, 5), "other", scale=0.01, zero=0)
    total = net.pair(net.op("Add", x, y), 0.03, 1)
    net.output(net.pair(net.op("Conv", total, net.weights((4, 3, 3, 3), axis=0), pads=[1, 1, 1, 1]), 0.04, 2))
    return Model.from_onnx(net.model()).graph


def good_inputs(batch: int = 2) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {name: random.standard_normal((batch, 3, 6, 5), dtype=np.float32) for name in ("image", "other")}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda x: {"image": x["image"]}, "missing other"),
        (lambda x: x | {"third": x["image"]}, "unknown third"),
        (lambda x: x | {"other": x["other"][0]}, "expected shape (batch, 3, 6, 5), found (3, 6, 5)"),
        (lambda x: x | {"other": x["other"][:0]}, "found (0, 3, 6, 5)"),
        (lambda x: x | {"other": x["other"][:1]}, "image: 2, other: 1"),
        (lambda x: x | {"other": x["other"].astype(np.int8)}, "expected float32, found int8"),
        (lambda x: x | {"other": x["other"] * np.float32(np.nan)}, "input other: holds NaN"),
    ],
)
def test_inputs_that_do_not_fit(change, word: str) -> None:
    with pytest.raises(InputError) as caught:
        run_graph(small_graph(), change(good_inputs()))
    assert word in str(caught.value)
    assert caught.value.hint


def test_a_sample_does_not_depend_on_its_batch() -> None:
    graph, inputs = small_graph(), good_inputs(3)
    together = run_graph(graph, inputs)
    for index in range(3):
        alone = run_graph(graph, {name: array[index : index + 1] for name, array in inputs.items()})
        for name, array in alone.items():
            assert np.array_equal(array[0], together[name][index])


def test_keep_gives_every_tensor() -> None:
    graph = small_graph()
    kept = run_graph(graph, good_inputs(), keep=True)
    assert set(kept) == set(graph.tensors)
    assert all(kept[name].shape == (2, *tensor.shape) for name, tensor in graph.tensors.items())


@pytest.mark.parametrize("channels", [64, 600])
@pytest.mark.parametrize("groups", [1, 2])
def test_sums_are_exact_on_both_sides_of_what_float32_holds(channels: int, groups: int) -> None:
    """Largest weights and inputs; the expected sums are made of Python-sized integers."""
    random = np.random.default_rng(channels)
    values = random.choice(np.array([-127, 126, 127], np.int8), (4, channels // groups, 1, 1))
    x = random.choice(np.array([-128, 126, 127], np.int8), (1, channels, 2, 2))
    assert exact_type(values, -128) is (np.float32 if channels // groups < 500 else np.float64)
    scales = np.array([2.0**-20], np.float32)
    weights = Weights(values, scales, np.array([1, -2, 3, -4], np.int32))
    source, target = Quantization(1.0, -128), Quantization(1.0, 0)
    tensors = {"x": Tensor("x", (channels, 2, 2), source), "y": Tensor("y", (4, 2, 2), target)}
    node = Node("conv", Op.CONV, ("x",), "y", ConvAttributes((1, 1), groups=groups), weights)
    centred = (x.astype(np.int64) + 128).reshape(groups, channels // groups, 4)
    sums = (values.astype(np.int64).reshape(groups, 4 // groups, -1) @ centred).reshape(4, 2, 2)
    real = np.rint((sums + weights.bias.reshape(4, 1, 1)).astype(np.float32) * scales)
    assert np.array_equal(run_node(node, [x], tensors)[0], np.clip(real, -128, 127).astype(np.int8))
