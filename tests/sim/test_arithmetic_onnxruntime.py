"""The defined arithmetic against onnxruntime's own kernels: random scales and zero points, every byte or pair of bytes.

Scales are drawn from powers of two as well, so that results fall exactly between two integers and rounding shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from sima_compiler import arithmetic
from sima_compiler.ir.graph import ActivationAttributes, ConvAttributes, Node, Op, Quantization, Tensor
from sima_compiler.ir.layers import BinaryOp
from sima_compiler.sim.reference import run_node
from tests.support.oracle import run_onnxruntime

DRAWS = 60
BYTES = np.arange(-128, 128).astype(np.int8)
GRAPH_NAMES = {machine: op.value for op, machine in arithmetic.BINARY_OPS.items()}
LEFT, RIGHT = (axis.reshape(-1) for axis in np.meshgrid(BYTES, BYTES, indexing="ij"))


def quantizations(seed: int, count: int) -> Iterator[tuple[Quantization, ...]]:
    """``DRAWS`` tuples: powers of two, scales far apart, scales close together, in turn."""
    random = np.random.default_rng(seed)
    for index in range(DRAWS):
        if index % 3 == 0:
            scales = 2.0 ** random.integers(-8, 2, count)
        elif index % 3 == 1:
            scales = 10 ** random.uniform(-3, 0, count)
        else:
            scales = 10 ** random.uniform(-2, 0) * random.uniform(0.3, 2, count)
        yield tuple(Quantization(float(np.float32(s)), int(random.integers(-128, 128))) for s in scales)


def onnxruntime_result(
    operator: str,
    arrays: Sequence[np.ndarray],
    quants: Sequence[Quantization],
    output: Quantization,
    extra: Sequence[Any] = (),
    **attributes: Any,
) -> np.ndarray:
    """``operator`` between DequantizeLinear and QuantizeLinear on uint8, as int8. "" is no operator at all; behind
    "Real..." stands a Max of one operand, so that onnxruntime computes in float32.
    """
    constants: dict[str, Any] = {"sy": np.float32(output.scale), "zy": np.uint8(output.zero_point + 128)}
    nodes, names, inputs = [], [], []
    for index, quant in enumerate(quants):
        constants |= {f"s{index}": np.float32(quant.scale), f"z{index}": np.uint8(quant.zero_point + 128)}
        inputs.append(helper.make_tensor_value_info(f"x{index}", TensorProto.UINT8, arrays[index].shape))
        names.append(f"r{index}")
        nodes.append(helper.make_node("DequantizeLinear", [f"x{index}", f"s{index}", f"z{index}"], [names[-1]]))
    for index, value in enumerate(extra):
        constants[f"e{index}"] = value
        names.append(f"e{index}")
    if operator:
        nodes.append(helper.make_node(operator.removeprefix("Real"), names, ["r"], **attributes))
        nodes.append(helper.make_node("Max" if operator.startswith("Real") else "Identity", ["r"], ["last"]))
    nodes.append(helper.make_node("QuantizeLinear", ["last" if operator else "r0", "sy", "zy"], ["y"]))
    graph = helper.make_graph(
        nodes, "one", inputs, [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    feeds = {f"x{index}": (array.astype(np.int16) + 128).astype(np.uint8) for index, array in enumerate(arrays)}
    return (run_onnxruntime(model, feeds)["y"].astype(np.int16) - 128).astype(np.int8)


FUNCTIONS = {
    Op.REQUANTIZE: ActivationAttributes(),
    Op.RELU: ActivationAttributes(),
    Op.SIGMOID: ActivationAttributes(),
    Op.TANH: ActivationAttributes(),
    Op.HARD_SWISH: ActivationAttributes(),
    Op.LEAKY_RELU: ActivationAttributes(alpha=float(np.float32(0.17))),
    Op.HARD_SIGMOID: ActivationAttributes(alpha=float(np.float32(0.21)), beta=float(np.float32(0.47))),
    Op.CLIP: ActivationAttributes(minimum=float(np.float32(-0.37)), maximum=float(np.float32(2.3))),
}


@pytest.mark.parametrize("op", FUNCTIONS)
def test_functions_of_one_byte(op: Op) -> None:
    attributes = FUNCTIONS[op]
    slopes = {"alpha": attributes.alpha, "beta": attributes.beta}
    kept = {Op.LEAKY_RELU: ["alpha"], Op.HARD_SIGMOID: ["alpha", "beta"]}.get(op, [])
    extra = [np.float32(attributes.minimum), np.float32(attributes.maximum)] if op is Op.CLIP else []
    for source, output in quantizations(len(op), 2):
        operator = "" if op is Op.REQUANTIZE else op.value
        expected = onnxruntime_result(operator, [BYTES], [source], output, extra, **{key: slopes[key] for key in kept})
        assert np.array_equal(expected, arithmetic.lookup_table(op, attributes, source, output)), (source, output)


@pytest.mark.parametrize("op", BinaryOp)
def test_every_pair_of_bytes(op: BinaryOp) -> None:
    for left, right, output in quantizations(len(op), 3):
        target = output
        if op in (BinaryOp.MUL, BinaryOp.REAL_MUL):
            target = Quantization(float(np.float32(left.scale * right.scale * 100)), output.zero_point)
        expected = onnxruntime_result(GRAPH_NAMES[op], [LEFT, RIGHT], [left, right], target)
        found = arithmetic.binary(op, LEFT, RIGHT, left, right, target)
        assert np.array_equal(expected, found), (left, right, target)


@pytest.mark.parametrize("op", BinaryOp)
def test_an_operand_that_broadcasts_comes_second(op: BinaryOp) -> None:
    random = np.random.default_rng(3)
    whole = random.integers(-128, 128, (2, 6, 37, 19)).astype(np.int8)
    channels = random.integers(-128, 128, (2, 6, 1, 1)).astype(np.int8)
    for left, right, output in quantizations(7, 3):
        expected = onnxruntime_result(GRAPH_NAMES[op], [whole, channels], [left, right], output)
        assert np.array_equal(expected, arithmetic.binary(op, whole, channels, left, right, output))


@pytest.mark.parametrize("size", [(7, 7), (1, 1), (5, 3), (31, 30)])
def test_global_average(size: tuple[int, int]) -> None:
    values = np.random.default_rng(1).integers(-128, 128, (2, 20, *size)).astype(np.int8)
    for source, drawn in quantizations(sum(size), 2):
        output = Quantization(float(np.float32(source.scale * (0.02 + 4 * drawn.scale % 1))), drawn.zero_point)
        expected = onnxruntime_result("GlobalAveragePool", [values], [source], output)
        assert np.array_equal(expected, arithmetic.global_average(values, (2, 3), source, output)), (source, output)


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize(
    ("kernel", "strides", "pads"),
    [((2, 2), (2, 2), (0, 0, 0, 0)), ((3, 3), (1, 2), (1, 1, 1, 1)), ((5, 3), (3, 2), (2, 1, 1, 0))],
)
def test_average_pool(
    kernel: tuple[int, int], strides: tuple[int, int], pads: tuple[int, int, int, int], counts: bool
) -> None:
    values = np.random.default_rng(2).integers(-128, 128, (2, 5, 12, 11)).astype(np.int8)
    window = ConvAttributes(kernel, strides, pads=pads, count_include_pad=counts)
    for source, drawn in quantizations(9, 2):
        output = Quantization(float(np.float32(source.scale * (0.1 + drawn.scale % 1))), drawn.zero_point)
        expected = onnxruntime_result(
            "AveragePool", [values], [source], output,
            kernel_shape=kernel, strides=strides, pads=pads, count_include_pad=int(counts),
        )  # fmt: skip
        tensors = {"x": Tensor("x", values.shape[1:], source), "y": Tensor("y", expected.shape[1:], output)}
        found = run_node(Node("pool", Op.AVERAGE_POOL, ("x",), "y", window), [values], tensors)
        assert np.array_equal(expected, found), (source, output)


def test_quantize_divides_and_saturates() -> None:
    random = np.random.default_rng(5)
    for (quant,) in quantizations(11, 1):
        real = np.concatenate([
            random.standard_normal(500) * quant.scale * 80,
            (np.arange(-300, 300) + 0.5) * quant.scale,
            [np.inf, -np.inf, 1e30, -1e30],
        ]).astype(np.float32)  # fmt: skip
        node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])
        graph = helper.make_graph(
            [node], "quantize",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, real.shape)],
            [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
            [numpy_helper.from_array(np.asarray(np.float32(quant.scale)), "s"),
             numpy_helper.from_array(np.asarray(np.int8(quant.zero_point)), "z")],
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
        assert np.array_equal(run_onnxruntime(model, {"x": real})["y"], arithmetic.quantize(real, quant)), quant


def test_clamping_after_rounding_equals_clamping_the_reals() -> None:
    for source, output in quantizations(13, 2):
        real = arithmetic.dequantize(BYTES, source)
        low, high = arithmetic.quantize_bounds(-0.3, 0.9, output)
        clamped = np.clip(arithmetic.quantize(real, output), low, high)
        assert np.array_equal(clamped, arithmetic.quantize(np.clip(real, np.float32(-0.3), np.float32(0.9)), output))


def test_requantize_rounds_half_to_even_in_float32() -> None:
    sums = np.array([1, 3, 5, -1, -3, 2**24 + 1, -(2**31)], np.int32)
    found = arithmetic.requantize(sums, np.zeros(1, np.int32), np.array([0.5], np.float32), 10, (-100, 90))
    assert found.tolist() == [10, 12, 12, 10, 8, 90, -100]
