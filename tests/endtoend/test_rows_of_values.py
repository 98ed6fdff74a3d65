"""Softmax and ArgMax, of any rank along any axis: exact on large, small and tiny machines, at batches from 1 to 3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from sima_compiler import Archive, Machine, Model, quantize, simulate
from sima_compiler.ir.graph import Op
from sima_compiler.lm.reader import decode
from tests.networks.float_net import FloatNet
from tests.support.fed_nodes import assert_fed_nodes_agree, assert_one_step_at_most
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.qdq_graph import INT8, UINT8, QdqGraph


@pytest.fixture(scope="module")
def eight_kib(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny machine with one quad of 8 KiB: maps of a few thousand values come in stripes."""
    text = Machine.load("tiny").text.replace("sram_bytes_per_quad: 32768", "sram_bytes_per_quad: 8192")
    path = tmp_path_factory.mktemp("machine") / "eight_kib.yaml"
    path.write_text(text.replace("quads: 2", "quads: 1"))
    return str(path)


def softmax_network(seed: int) -> tuple[onnx.ModelProto, int]:
    """A softmax of a drawn shape, axis, scale and spelling, and a batch."""
    draw = np.random.default_rng(seed)
    shape = tuple(int(size) for size in draw.integers(1, 22 - 4 * (seed % 3), int(draw.integers(1, 5))))
    axis = int(draw.integers(0, len(shape))) + 1
    net = QdqGraph((UINT8, INT8)[seed % 2], seed=seed, opset=17 if seed % 5 else 11)
    x = net.input(shape, scale=float(10 ** draw.uniform(-2, -0.5)), zero=int(draw.integers(-40, 40)))
    y = net.op("Softmax", x, axis=axis - len(shape) - 1 if seed % 3 else axis)
    net.output(net.pair(y, float(draw.choice([1 / 256, 1 / 255, 0.01])), int(draw.choice([-128, -100, 0]))))
    return net.model(), int(draw.integers(1, 4))


@pytest.mark.parametrize("seed", range(60))
def test_a_softmax_of_any_shape(seed: int, eight_kib: str, tmp_path: Path) -> None:
    model, batch = softmax_network(seed)
    machine = ("mlsoc", "tiny", eight_kib)[seed // 2 % 3]
    assert_judges_agree(model, tmp_path, batch=batch, compress=bool(seed % 2), machine=machine, seed=seed)


def log_softmax_network(seed: int) -> onnx.ModelProto:
    draw = np.random.default_rng(seed)
    shape = tuple(int(size) for size in draw.integers(2, 22, int(draw.integers(1, 4))))
    net = QdqGraph((UINT8, INT8)[seed % 2], seed=seed, opset=17 if seed % 4 else 11)
    x = net.input(shape, scale=float(10 ** draw.uniform(-2, -1)), zero=int(draw.integers(-40, 40)))
    y = net.op("LogSoftmax", x, axis=int(draw.integers(1, len(shape) + 1)))
    net.output(net.pair(y, float(draw.uniform(0.02, 0.05)), 127))
    return net.model()


@pytest.mark.parametrize("seed", range(8))
def test_a_logarithm_of_a_softmax(seed: int, eight_kib: str, tmp_path: Path) -> None:
    source = log_softmax_network(seed)
    model = Model.from_onnx(source)
    if seed % 4:
        assert_fed_nodes_agree(source, tmp_path, model=model, machine=("mlsoc", "tiny", eight_kib)[seed % 3], seed=seed)
    else:  # between the reshapes of older operator sets, whose values the file does not have
        assert_one_step_at_most(source, model, share=1e-3)
        model.compile(str(tmp_path), 2, machine="tiny")


def test_sums_of_long_rows_run_value_after_value() -> None:
    """1,500 shares of nearly one size, in steps so fine that any other order of adding float32 shows."""
    net = QdqGraph()
    net.output(net.pair(net.op("Softmax", net.input((40, 1500), scale=0.01), axis=2), 1e-5, -128))
    assert_reference_agrees(net.model(), batch=1)


def test_shares_are_rounded_once() -> None:
    """1.3 million shares in fine steps: with a quotient in float32, some that lie beside a half fall on it."""
    net = QdqGraph()
    net.output(net.pair(net.op("Softmax", net.input((20000, 16), scale=0.02), axis=2), 1 / 1999.3, -128))
    assert_reference_agrees(net.model(), batch=4)


def boxes() -> QdqGraph:
    """The box head of a detector: distances as shares of 16 bins, weighted by a 1 x 1 convolution."""
    net = QdqGraph(batch=1)
    x = net.pair(net.op("Conv", net.input((8, 5, 4)), net.weights((64, 8, 1, 1))), 0.06, 2)
    x = net.op("Transpose", net.op("Reshape", x, net.constant([1, 4, 16, 20])), perm=[0, 2, 1, 3])
    x = net.pair(net.op("Softmax", net.pair(x, 0.06, 2), axis=1), 1 / 256, -128)
    x = net.pair(net.op("Conv", x, net.weights((1, 16, 1, 1))), 0.03, -9)
    net.output(net.op("Reshape", x, net.constant([1, 4, 20])))
    return net


@pytest.mark.parametrize("machine", ["mlsoc", "tiny"])
def test_a_softmax_over_bins_inside_a_detector(machine: str, tmp_path: Path) -> None:
    assert_judges_agree(boxes().model(), tmp_path, batch=2, compress=True, machine=machine)


def test_a_map_beyond_memory_runs_in_stripes(eight_kib: str, tmp_path: Path) -> None:
    """24 x 24 pixels of 40 channels are 27 KiB."""
    net = QdqGraph()
    net.output(net.pair(net.op("Softmax", net.input((40, 24, 24), scale=0.1), axis=1), 1 / 256, -128))
    verdict = assert_judges_agree(net.model(), tmp_path, batch=2, compress=True, machine=eight_kib)
    archive = Archive.open(verdict.path)
    steps = decode(archive.read(archive.lm_files[0])).compute
    assert len(steps) > 2 * 3, "a block for each few rows of each sample"


def test_a_moved_softmax_whose_quantization_stands_further_on_is_off_by_no_step(tmp_path: Path) -> None:
    """onnxruntime moves the QuantizeLinear up past the Transpose, and then runs the softmax on bytes."""
    net = QdqGraph()
    x = net.op("Transpose", net.op("Softmax", net.input((6, 9), scale=0.08), axis=2), perm=[0, 2, 1])
    net.output(net.pair(x, 1 / 256, -128))
    assert_judges_agree(net.model(), tmp_path, batch=2, compress=True)


@pytest.mark.parametrize("seed", range(4))
def test_a_softmax_that_is_quantized_twice_is_computed_in_reals(seed: int, tmp_path: Path) -> None:
    """onnxruntime leaves the bytes then: the node is on the list of what may differ by one step."""
    draw = np.random.default_rng(seed)
    net = QdqGraph((UINT8, INT8)[seed % 2], seed=seed)
    shape = tuple(int(size) for size in draw.integers(2, 60, 2))
    x = net.op("Softmax", net.input(shape, scale=float(10 ** draw.uniform(-2.3, -0.5))), axis=2)
    net.output(net.pair(x, 1 / 256, -128))
    net.output(net.pair(x, 0.01, -100))
    model = Model.from_onnx(net.model())
    assert {node.op for node in model.graph.nodes} == {Op.REAL_SOFTMAX}
    assert_fed_nodes_agree(net.model(), tmp_path, model=model, machine=("mlsoc", "tiny")[seed % 2])


def arg_max(places: int, *, keepdims: int, axis: int, last: int = 0) -> QdqGraph:
    """A coarse scale, so that several values are the largest."""
    net = QdqGraph()
    shape = [places if place + 1 == axis else 3 + place for place in range(3)]
    x = net.input(tuple(shape), scale=0.5)
    y = net.op("ArgMax", x, axis=axis, keepdims=keepdims, select_last_index=last)
    net.output(y, dtype=TensorProto.INT64)
    return net


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(("places", "axis"), [(21, 1), (256, 1), (7, 2), (30, 3)])
def test_arg_max_counts_from_nought(places: int, axis: int, keepdims: int, tmp_path: Path) -> None:
    model = arg_max(places, keepdims=keepdims, axis=axis, last=places % 2).model()
    assert_judges_agree(model, tmp_path, batch=2, compress=True, machine=("mlsoc", "tiny")[keepdims])


def test_quantize_keeps_softmax_and_arg_max_and_the_names_of_outputs(tmp_path: Path) -> None:
    net = FloatNet(3)
    scores = net.conv(net.input((3, 8, 8)), 12, 3)
    named = [net.node("Softmax", [scores], (12, 6, 6), axis=1), net.node("ArgMax", [scores], (1, 6, 6), axis=1)]
    model = net.model(named)
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.INT64
    random = np.random.default_rng(0)
    samples = [{model.graph.input[0].name: random.standard_normal((1, 3, 8, 8), np.float32)} for _ in range(3)]
    found = quantize(model, samples, "both")
    assert [node.op for node in found.graph.nodes].count(Op.SOFTMAX) == 1
    assert found.graph.outputs == tuple(named)
    assert not found.graph.cut
    found.save("both", str(tmp_path))
    again = Model.load("both", str(tmp_path))
    result = again.compile(output_path=str(tmp_path))
    outputs = simulate(Archive.open(result.path), samples[0]).outputs
    for name, expected in zip(named, found.execute(samples[0]), strict=True):
        assert np.array_equal(outputs[name], expected)
    assert np.abs(outputs[named[0]].sum(axis=1) - 1).max() < 0.05


def test_exported_arg_max_gives_what_the_graph_says() -> None:
    model = Model.from_onnx(arg_max(9, keepdims=1, axis=1).model())
    assert_reference_agrees(model.to_onnx(uint8=True), model=model)
