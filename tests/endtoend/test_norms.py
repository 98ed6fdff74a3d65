"""LayerNorm, RMSNorm and InstanceNorm, whole and written out: one step at most from onnxruntime given its own input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Machine, Model, UnsupportedError, quantize
from sima_compiler.frontend.quantize import quantize_onnx
from sima_compiler.ir.graph import Op
from tests.networks.float_net import FloatNet
from tests.support.fed_nodes import assert_fed_nodes_agree, assert_one_step_at_most
from tests.support.judges import signal_to_noise
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

KINDS = {
    "LayerNormalization": Op.LAYER_NORM,
    "RMSNormalization": Op.RMS_NORM,
    "InstanceNormalization": Op.INSTANCE_NORM,
}


@pytest.fixture(scope="module")
def eight_kib(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny machine with one quad of 8 KiB."""
    text = Machine.load("tiny").text.replace("sram_bytes_per_quad: 32768", "sram_bytes_per_quad: 8192")
    path = tmp_path_factory.mktemp("machine") / "eight_kib.yaml"
    path.write_text(text.replace("quads: 2", "quads: 1"))
    return str(path)


def norm_network(operator: str, seed: int) -> tuple[onnx.ModelProto, int]:
    """A norm of a drawn shape with drawn gains, offsets, scales, and a batch."""
    draw = np.random.default_rng(seed)
    instance = operator == "InstanceNormalization"
    rank = int(draw.integers(2, 4)) if instance else int(draw.integers(1, 4))
    shape = tuple(int(size) for size in draw.integers(1, 24 - 5 * rank, rank))
    axis = int(draw.integers(0, rank)) + 1
    row = shape[:1] if instance else shape[axis - 1 :]
    net = QdqGraph((UINT8, INT8)[seed % 2], seed=seed, opset=23 if operator.startswith("RMS") else 17)
    x = net.input(shape, scale=float(10 ** draw.uniform(-2, -0.5)), zero=int(draw.integers(-90, 90)))
    gains = net.constant(draw.normal(1, 0.3, row), np.float32)
    offsets = [net.constant(draw.normal(0, 0.3, row), np.float32)] if instance or seed % 3 else []
    if operator.startswith("RMS"):
        offsets = []
    place = {} if instance else {"axis": axis if seed % 2 else axis - rank - 1}
    y = net.op(operator, x, gains, *offsets, epsilon=float(draw.choice([1e-5, 1e-3])), **place)
    net.output(net.pair(y, float(draw.uniform(0.01, 0.06)), int(draw.integers(-40, 40))))
    return net.model(), int(draw.integers(1, 4))


@pytest.mark.parametrize("seed", range(18))
@pytest.mark.parametrize("operator", KINDS)
def test_a_norm_of_any_shape(operator: str, seed: int, eight_kib: str, tmp_path: Path) -> None:
    source, batch = norm_network(operator, seed)
    model = Model.from_onnx(source)
    assert [node.op for node in model.graph.nodes] == [KINDS[operator]]
    machine = ("mlsoc", "tiny", eight_kib)[seed // 2 % 3]
    assert_fed_nodes_agree(source, tmp_path, batch=batch, seed=seed, model=model, machine=machine)


def test_maps_beyond_memory_run_in_stripes(eight_kib: str, tmp_path: Path) -> None:
    """An image of 6 x 40 x 40 is 25 KiB in padded channels; a channel of it has 1,600 pixels."""
    net = QdqGraph()
    gains, offsets = net.constant(np.linspace(0.5, 2, 6), np.float32), net.constant(np.linspace(-1, 1, 6), np.float32)
    net.output(net.pair(net.op("InstanceNormalization", net.input((6, 40, 40)), gains, offsets), 0.03, 0))
    assert_fed_nodes_agree(net.model(), tmp_path, batch=2, machine=eight_kib)


def test_gains_and_offsets_may_be_quantized(tmp_path: Path) -> None:
    net = QdqGraph()
    x = net.input((7, 20), scale=0.03)
    gains = net.op("DequantizeLinear", net.constant(np.arange(-10, 10) * 6, np.int8), net.constant(np.float32(0.02)))
    offsets = net.op("DequantizeLinear", net.constant(np.arange(20) * 999, np.int32), net.constant(np.float32(1e-4)))
    net.output(net.pair(net.op("LayerNormalization", x, gains, offsets, axis=-1), 0.03, 5))
    assert_fed_nodes_agree(net.model(), tmp_path)


def test_gains_that_are_computed_are_refused() -> None:
    net = QdqGraph()
    x = net.input((4, 4))
    net.output(net.pair(net.op("LayerNormalization", x, x, axis=-1)))
    with pytest.raises(UnsupportedError, match="gains and offsets of normalizations are constants"):
        Model.from_onnx(net.model())


def test_a_row_of_equal_values_without_epsilon_is_what_onnxruntime_makes_of_nothing(tmp_path: Path) -> None:
    net = QdqGraph()
    x = net.op("Mul", net.input((3, 8)), net.operand(0, 0.01))
    gains = net.constant(np.ones(8), np.float32)
    net.output(net.pair(net.op("LayerNormalization", net.pair(x, 0.01, 9), gains, axis=-1, epsilon=0.0), 0.05, -3))
    assert_fed_nodes_agree(net.model(), tmp_path)


Written = Callable[[FloatNet, str], str]


def _layer(net: FloatNet, x: str) -> str:
    """As torch writes it before operator set 17."""
    shape = net.shapes[x]
    mean = net.node("ReduceMean", [x], (*shape[:-1], 1), axes=[-1])
    centred = net.node("Sub", [x, mean], shape)
    power = net.node("Pow", [centred, net.constant(np.float32(2))], shape)
    variance = net.node("ReduceMean", [power], (*shape[:-1], 1), axes=[-1])
    root = net.node("Sqrt", [net.node("Add", [variance, net.constant(np.float32(1e-5))], (*shape[:-1], 1))], shape)
    quotient = net.node("Div", [centred, root], shape)
    scaled = net.node("Mul", [quotient, net.constant(np.linspace(0.5, 1.5, shape[-1], dtype=np.float32))], shape)
    return net.node("Add", [scaled, net.constant(np.linspace(-1, 1, shape[-1], dtype=np.float32))], shape)


def _difference_twice(net: FloatNet, x: str) -> str:
    """Two equal differences, a product as square, a reciprocal, gains first, no offset."""
    shape = net.shapes[x]
    mean = net.node("ReduceMean", [x], (*shape[:-1], 1), axes=[len(shape)])
    left, right = net.node("Sub", [x, mean], shape), net.node("Sub", [x, mean], shape)
    variance = net.node("ReduceMean", [net.node("Mul", [left, left], shape)], (*shape[:-1], 1), axes=[-1])
    root = net.node("Sqrt", [net.node("Add", [net.constant(np.float32(1e-4)), variance], (*shape[:-1], 1))], shape)
    inverse = net.node("Reciprocal", [root], shape)
    quotient = net.node("Mul", [right, inverse], shape)
    return net.node("Mul", [net.constant(np.linspace(0.5, 1.5, shape[-1], dtype=np.float32)), quotient], shape)


def _channels_first(net: FloatNet, x: str) -> str:
    """Over the channels of an image, as ConvNeXt has it."""
    shape = net.shapes[x]
    mean = net.node("ReduceMean", [x], (1, *shape[1:]), axes=[1])
    centred = net.node("Sub", [x, mean], shape)
    variance = net.node("ReduceMean", [net.node("Mul", [centred, centred], shape)], (1, *shape[1:]), axes=[1])
    shifted = net.node("Add", [variance, net.constant(np.float32(1e-6))], (1, *shape[1:]))
    quotient = net.node("Div", [centred, net.node("Sqrt", [shifted], (1, *shape[1:]))], shape)
    gains = np.linspace(0.5, 1.5, shape[0], dtype=np.float32).reshape(-1, 1, 1)
    return net.node("Add", [net.node("Mul", [quotient, net.constant(gains)], shape), net.constant(gains - 1)], shape)


def _instance(net: FloatNet, x: str) -> str:
    """Over the pixels of each channel."""
    shape = net.shapes[x]
    small = (shape[0], 1, 1)
    centred = net.node("Sub", [x, net.node("ReduceMean", [x], small, axes=[2, 3])], shape)
    power = net.node("Pow", [centred, net.constant(np.array([2], np.float32))], shape)
    variance = net.node("ReduceMean", [power], small, axes=[2, 3])
    shifted = net.node("Add", [variance, net.constant(np.float32(1e-5))], small)
    inverse = net.node("Pow", [shifted, net.constant(np.float32(-0.5))], small)
    gains = np.linspace(0.5, 1.5, shape[0], dtype=np.float32).reshape(-1, 1, 1)
    return net.node("Mul", [net.node("Mul", [centred, inverse], shape), net.constant(gains)], shape)


def _root_mean_square(net: FloatNet, x: str) -> str:
    """As language models write it."""
    shape = net.shapes[x]
    power = net.node("Pow", [x, net.constant(np.float32(2))], shape)
    mean = net.node("ReduceMean", [power], (*shape[:-1], 1), axes=[-1])
    root = net.node("Sqrt", [net.node("Add", [mean, net.constant(np.float32(1e-6))], (*shape[:-1], 1))], shape)
    inverse = net.node("Div", [net.constant(np.float32(1)), root], shape)
    gains = net.constant(np.linspace(0.5, 1.5, shape[-1], dtype=np.float32))
    return net.node("Mul", [gains, net.node("Mul", [x, inverse], shape)], shape)


WRITTEN: dict[str, tuple[Written, tuple[int, ...], Op]] = {
    "layer": (_layer, (5, 24), Op.LAYER_NORM),
    "difference twice": (_difference_twice, (3, 4, 10), Op.LAYER_NORM),
    "channels first": (_channels_first, (12, 4, 5), Op.LAYER_NORM),
    "instance": (_instance, (6, 5, 4), Op.INSTANCE_NORM),
    "root mean square": (_root_mean_square, (6, 16), Op.RMS_NORM),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_exporters_write_out_is_one_norm(name: str, tmp_path: Path) -> None:
    """From the float model, and from a file whose quantizations stand around the whole norm."""
    write, shape, op = WRITTEN[name]
    net = FloatNet(1, opset=13)
    source = net.model([write(net, net.input(shape))])
    random = np.random.default_rng(0)
    samples = [{"input0": random.standard_normal((2, *shape), np.float32)} for _ in range(3)]
    made = quantize_onnx(source, samples).model
    assert [node.op for node in quantize(source, samples).graph.nodes if node.op is not Op.TRANSPOSE] == [op]
    verdict = assert_fed_nodes_agree(made, tmp_path, seed=3)
    assert len(verdict.nodes) == 1

    around = onnx.ModelProto()
    around.CopyFrom(source)
    quantized = QdqGraph(batch="N", opset=13)
    x = quantized.input(shape, "input0", scale=0.03)
    for node in around.graph.node:
        node.input[:] = [x if value == "input0" else value for value in node.input]
    quantized.nodes += around.graph.node
    quantized.constants |= {entry.name: onnx.numpy_helper.to_array(entry) for entry in around.graph.initializer}
    quantized.output(quantized.pair(source.graph.output[0].name, 0.04, 3))
    model = Model.from_onnx(quantized.model())
    assert [node.op for node in model.graph.nodes if node.op is not Op.TRANSPOSE] == [op]
    if op in {node.op for node in model.graph.nodes if node.output in model.graph.outputs}:
        assert_fed_nodes_agree(quantized.model(), tmp_path, model=model, machine="tiny")
    else:  # between two movements that the file does not have, so that no value of it is the norm's
        assert_one_step_at_most(quantized.model(), model, share=1e-3)


def test_a_norm_whose_inside_is_read_elsewhere_stays_as_it_is() -> None:
    net = FloatNet(1, opset=17)
    y = _layer(net, net.input((5, 24)))
    mean = next(node.output[0] for node in net.nodes if node.op_type == "ReduceMean")
    samples = [{"input0": np.random.default_rng(0).standard_normal((1, 5, 24), np.float32)}]
    made = quantize_onnx(net.model([y, mean]), samples).model
    assert "LayerNormalization" not in [node.op_type for node in made.graph.node]


def test_a_group_norm_is_an_instance_norm_of_groups(tmp_path: Path) -> None:
    net = FloatNet(2, opset=21)
    x = net.input((12, 5, 6))
    values = [net.constant(np.linspace(low, low + 1, 12, dtype=np.float32)) for low in (0.5, -1)]
    source = net.model([net.node("GroupNormalization", [x, *values], (12, 5, 6), num_groups=4)])
    random = np.random.default_rng(0)
    samples = [{"input0": random.standard_normal((1, 12, 5, 6), np.float32)} for _ in range(3)]
    model = quantize(source, samples)
    assert [node.op for node in model.graph.nodes].count(Op.INSTANCE_NORM) == 1
    assert_fed_nodes_agree(quantize_onnx(source, samples).model, tmp_path, model=model)
    assert min(signal_to_noise(source, model).values()) > 25


def test_a_norm_that_is_quantized_step_by_step_runs_step_by_step(tmp_path: Path) -> None:
    """As tools write it that put a pair behind every operator: the roundings in between are part of the file."""
    net = QdqGraph(seed=3)
    x = net.input((6, 20), scale=0.03, zero=4)
    centred = net.pair(net.op("Sub", x, net.pair(net.op("ReduceMean", x, axes=[-1]), 0.01, 2)), 0.03, 1)
    square = net.pair(net.op("Mul", centred, centred), 0.06, -128)
    variance = net.pair(net.op("ReduceMean", square, axes=[-1]), 0.02, -128)
    root = net.pair(net.op("Sqrt", net.pair(net.op("Add", variance, net.operand(3, 0.01)), 0.02, -128)), 0.01, -128)
    quotient = net.pair(net.op("Div", centred, root), 0.03, 0)
    gains = net.operand(net.random.integers(60, 127, (1, 1, 20)), 0.01)
    net.output(net.pair(net.op("Mul", quotient, gains), 0.03, 0))
    assert_fed_nodes_agree(net.model(), tmp_path, machine="tiny")
