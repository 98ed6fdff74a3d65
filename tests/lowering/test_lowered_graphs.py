"""Every rule of lowering on a graph of its own: the reference's bytes, from exactly the expected layers."""

from __future__ import annotations

import pytest

from sima_compiler.errors import UnsupportedError
from sima_compiler.ir.graph import ConvAttributes, Op
from sima_compiler.ir.layers import Broadcast, Convolution, Copy, Elementwise, Layout, Pooling
from tests.lowering.agreement import agreed, lowered, names
from tests.lowering.graph_pen import Pen


def test_convolution_takes_bias_and_clamp() -> None:
    pen = Pen()
    x = pen.input(3, 9, 8)
    y = pen.conv(x, 20, (3, 3), pads=(1, 1, 1, 1), strides=(2, 1), clamp=(0, 100), fused=("relu",))
    layers = agreed(pen.graph(y))
    assert [layer.name for layer in layers.segments[0].layers] == ["MLA_0/conv2d_add_relu_0"]
    assert layers.segments[0].maps["x0"].layout is Layout.HWC


@pytest.mark.parametrize(("groups", "outputs", "operator"), [(6, 12, "depthwise_conv2d"), (3, 9, "conv2d")])
def test_groups_stay_groups(groups: int, outputs: int, operator: str) -> None:
    pen = Pen()
    layers = agreed(pen.graph(pen.conv(pen.input(6, 7, 7), outputs, (3, 2), groups=groups, dilations=(2, 1))))
    assert layers.segments[0].layers[0].operator == operator


def test_function_with_another_quantization_becomes_a_lookup() -> None:
    pen = Pen()
    layers = agreed(pen.graph(pen.unary(Op.SIGMOID, pen.conv(pen.input(4, 5, 5), 8))))
    kernel = layers.segments[0].layers[0].kernel
    assert names(layers) == ["conv2d_add_sigmoid"]
    assert isinstance(kernel, Convolution)
    assert kernel.lookup is not None


def test_relu_with_the_same_quantization_becomes_a_clamp() -> None:
    pen = Pen()
    layers = agreed(pen.graph(pen.unary(Op.RELU, pen.conv(pen.input(4, 5, 5), 8), keeps_quant=True)))
    kernel = layers.segments[0].layers[0].kernel
    assert isinstance(kernel, Convolution)
    assert kernel.lookup is None
    assert kernel.clamp[0] > -128


def test_swish_is_one_table_on_the_way_out() -> None:
    pen = Pen()
    q = pen.conv(pen.input(4, 5, 5), 8)
    assert names(agreed(pen.graph(pen.binary(Op.MUL, q, pen.unary(Op.SIGMOID, q))))) == ["conv2d_add_swish"]


def test_hard_swish_by_hand_is_one_table() -> None:
    pen = Pen()
    x = pen.conv(pen.input(4, 5, 5), 8)
    gate = pen.unary(Op.CLIP, pen.constant(Op.ADD, x, ()), minimum=0.0, maximum=6.0)
    y = pen.constant(Op.MUL, pen.binary(Op.MUL, x, gate), (1, 1, 1))
    assert names(agreed(pen.graph(y))) == ["conv2d_add_add_clip_mul_mul"]


def test_a_tensor_that_others_read_is_not_folded_away() -> None:
    pen = Pen()
    q = pen.conv(pen.input(4, 5, 5), 8)
    s = pen.unary(Op.SIGMOID, q)
    layers = agreed(pen.graph(pen.binary(Op.MUL, q, s), s, pen.conv(q, 3)))
    assert names(layers).count("conv2d_add") == 2


def test_residual_add_rides_on_the_later_convolution() -> None:
    pen = Pen()
    x = pen.input(16, 6, 6)
    left, right = pen.conv(x, 16), pen.conv(x, 16, (3, 3), pads=(1, 1, 1, 1))
    layers = agreed(pen.graph(pen.unary(Op.RELU, pen.binary(Op.ADD, left, right))))
    assert names(layers) == ["conv2d_add", "conv2d_add_add_relu"]
    kernel = layers.segments[0].layers[1].kernel
    assert isinstance(kernel, Convolution)
    assert kernel.binary is not None
    assert kernel.binary.swapped


@pytest.mark.parametrize("op", [Op.SUB, Op.MUL, Op.ADD])
def test_residual_with_an_operand_that_comes_later(op: Op) -> None:
    pen = Pen()
    x = pen.input(16, 6, 6)
    left = pen.conv(x, 16)
    right = pen.unary(Op.TANH, pen.pool(Op.MAX_POOL, x, ConvAttributes((1, 1))))
    again = pen.unary(Op.LEAKY_RELU, right, alpha=0.1)
    layers = agreed(pen.graph(pen.binary(op, left, right), again))
    assert names(layers)[-1].startswith("conv2d_add_")


def test_shared_convolution_keeps_its_own_result() -> None:
    pen = Pen()
    x = pen.input(16, 6, 6)
    left = pen.conv(x, 16)
    layers = agreed(pen.graph(pen.binary(Op.ADD, left, x), left))
    assert names(layers) == ["conv2d_add", "add"]


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("shape", [(8, 5, 4), (8, 1, 1), (1, 5, 4), (1, 1, 4), (1, 1, 1), ()])
def test_constant_operands_of_any_shape(shape: tuple[int, ...], first: bool) -> None:
    pen = Pen()
    x = pen.input(8, 5, 4)
    y = pen.constant(Op.SUB, x, shape, first=first)
    z = pen.constant(Op.MUL, pen.conv(x, 8), shape, first=first)
    assert len(names(agreed(pen.graph(y, z)))) == 2


def test_squeeze_and_excite_gate_spreads_over_channels() -> None:
    pen = Pen()
    x = pen.conv(pen.input(8, 6, 6), 24)
    gate = pen.unary(Op.SIGMOID, pen.conv(pen.conv(pen.global_pool(x), 4), 24))
    layers = agreed(pen.graph(pen.binary(Op.MUL, gate, x)))
    kernel = layers.segments[0].layers[-1].kernel
    assert isinstance(kernel, Elementwise)
    assert kernel.binary.broadcast is Broadcast.CHANNEL
    assert kernel.binary.swapped


def test_one_value_spreads_over_everything() -> None:
    pen = Pen()
    x = pen.input(8, 6, 6)
    y = pen.binary(Op.MUL, x, pen.conv(pen.global_pool(x), 1))
    assert names(agreed(pen.graph(y)))[-1] == "mul"


def test_square_image_meets_its_own_transpose() -> None:
    pen = Pen()
    x = pen.unary(Op.TANH, pen.input(3, 4, 4))
    assert names(agreed(pen.graph(pen.binary(Op.SUB, pen.transpose(x, 0, 2, 1), x)))) == ["tanh", "transpose", "sub"]


def test_row_vector_meets_tokens_that_lie_the_other_way() -> None:
    pen = Pen()
    x = pen.input(7, 12)
    y = pen.transpose(pen.gemm(x, 5), 1, 0)
    vector = pen.slice(pen.input(2, 7), (1, 0), (2, 7), (1, 1))
    layers = agreed(pen.graph(pen.binary(Op.SUB, vector, y)))
    assert names(layers) == ["dense_add", "transpose", "slice", "sub"]


def test_spatial_gate_is_refused_with_its_rule() -> None:
    pen = Pen()
    x = pen.input(8, 6, 6)
    with pytest.raises(UnsupportedError) as caught:
        lowered(pen.graph(pen.binary(Op.MUL, x, pen.conv(x, 1))))
    assert caught.value.operator == "Mul"
    assert caught.value.node == "n1"
    assert "per channel" in caught.value.rule


def test_flatten_before_gemm_moves_nothing() -> None:
    pen = Pen()
    x = pen.conv(pen.input(8, 6, 6), 5)
    layers = agreed(pen.graph(pen.gemm(pen.reshape(x, 180), 10)))
    assert names(layers) == ["conv2d_add", "dense_add"]


def test_gemm_after_global_pool_is_a_point() -> None:
    pen = Pen()
    x = pen.global_pool(pen.input(40, 6, 6))
    layers = agreed(pen.graph(pen.gemm(pen.unary(Op.RELU, pen.reshape(x, 40)), 10)))
    kernel = layers.segments[0].layers[0].kernel
    assert names(layers) == ["global_avg_pool2d", "relu", "dense_add"]
    assert isinstance(kernel, Pooling)


def test_gemm_over_tokens() -> None:
    pen = Pen()
    x = pen.input(7, 12)
    y = pen.gemm(x, 20)
    layers = agreed(pen.graph(pen.gemm(pen.transpose(pen.binary(Op.ADD, y, pen.gemm(x, 20)), 1, 0), 3)))
    assert names(layers)[:2] == ["dense_add", "dense_add_add"]


def test_tokens_of_an_image_need_no_copy() -> None:
    pen = Pen()
    x = pen.conv(pen.input(3, 8, 8), 12, (4, 4), strides=(4, 4))
    tokens = pen.transpose(pen.reshape(x, 12, 4), 1, 0)
    layers = agreed(pen.graph(pen.gemm(pen.constant(Op.ADD, tokens, (4, 12)), 9)))
    assert names(layers) == ["conv2d_add_add", "dense_add"]


def test_channel_shuffle_is_one_copy() -> None:
    pen = Pen()
    x = pen.conv(pen.input(6, 5, 5), 12)
    y = pen.reshape(pen.transpose(pen.reshape(x, 3, 4, 5, 5), 1, 0, 2, 3), 12, 5, 5)
    layers = agreed(pen.graph(pen.conv(y, 4)))
    assert names(layers) == ["conv2d_add", "reshape_transpose_reshape", "conv2d_add"]


def test_reshape_that_cuts_pixels_goes_through_packed_bytes() -> None:
    pen = Pen()
    x = pen.unary(Op.TANH, pen.input(10, 12))
    layers = agreed(pen.graph(pen.unary(Op.RELU, pen.reshape(x, 8, 15)), pen.gemm(pen.reshape(x, 8, 15), 3)))
    assert names(layers).count("reshape") == 2


def test_images_of_other_shapes() -> None:
    pen = Pen()
    x = pen.conv(pen.input(3, 6, 10), 4)
    agreed(pen.graph(pen.conv(pen.reshape(x, 10, 4, 6), 5, (3, 3)), pen.reshape(x, 240), pen.reshape(x, 6, 40)))


def test_concat_requantizes_on_the_way() -> None:
    pen = Pen()
    x = pen.input(5, 6, 6)
    layers = agreed(pen.graph(pen.concat(pen.conv(x, 3), x, pen.slice(x, (1, 0, 0), (4, 6, 6), (2, 1, 1)))))
    kernel = layers.segments[0].layers[-1].kernel
    assert names(layers) == ["conv2d_add", "concatenate"]
    assert isinstance(kernel, Copy)
    assert [move.lookup is not None for move in kernel.moves] == [False, True, True]  # the convolution's own way out


def test_pad_in_front_of_a_leading_transpose_becomes_the_window_s() -> None:
    """As exporters from channels-last frameworks write it: neither the Pad nor the Transpose moves a byte."""
    pen = Pen()
    x = pen.transpose(pen.pad(pen.input(9, 9, 3), (1, 1, 0), (1, 1, 0)), 2, 0, 1)
    layers = agreed(pen.graph(pen.conv(x, 8, (3, 3))))
    assert names(layers) == ["conv2d_add"]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_concat_and_slices_on_every_axis(axis: int) -> None:
    pen = Pen()
    x = pen.input(6, 7, 8)
    y = pen.concat(x, pen.conv(x, 6), axis=axis)
    steps = tuple(2 if index == axis else 1 for index in range(3))
    agreed(pen.graph(pen.conv(pen.slice(y, (1, 1, 1), pen.shape(y), steps), 4)))


def test_split_of_flattened_image() -> None:
    pen = Pen()
    x = pen.conv(pen.input(3, 4, 6), 6)
    agreed(pen.graph(pen.slice(pen.reshape(x, 144), (5,), (100,), (3,))))


def test_pads_fold_into_windows_when_exact() -> None:
    pen = Pen()
    x = pen.input(6, 7, 7)
    y = pen.conv(pen.pad(x, (0, 1, 2), (0, 0, 1)), 4, (3, 3), pads=(1, 0, 0, 0))
    z = pen.pool(Op.MAX_POOL, pen.pad(x, (0, 1, 1), (0, 1, 1), -128), ConvAttributes((3, 3), (2, 2)))
    a = pen.pool(Op.AVERAGE_POOL, pen.pad(x, (0, 1, 1), (0, 1, 1)), ConvAttributes((3, 3), (2, 2)))
    assert names(agreed(pen.graph(y, z, a))) == ["conv2d_add", "max_pool2d", "avg_pool2d"]


def test_pads_that_do_not_fold_are_copies() -> None:
    pen = Pen()
    x = pen.input(6, 7, 7)
    y = pen.conv(pen.pad(x, (0, 1, 2), (0, 0, 1), 90), 4, (3, 3))
    z = pen.pool(Op.MAX_POOL, pen.pad(x, (0, 1, 1), (0, 1, 1)), ConvAttributes((3, 3), (2, 2)))
    w = pen.conv(pen.pad(x, (2, 0, 0), (1, 0, 0)), 4)
    a = pen.pool(Op.AVERAGE_POOL, pen.pad(x, (0, 1, 1), (0, 1, 1)), ConvAttributes((3, 3), pads=(1, 1, 1, 1)))
    assert names(agreed(pen.graph(y, z, w, a))).count("pad") == 4


def test_windows_never_lie_wholly_in_their_padding() -> None:
    pen = Pen()
    x = pen.input(6, 5, 5)
    y = pen.conv(x, 4, pads=(0, 1, 0, 0))
    z = pen.conv(pen.pad(x, (0, 3, 0), (0, 0, 0)), 4, (3, 3))
    layers = agreed(pen.graph(y, z, pen.conv(x, 4, (2, 2), dilations=(2, 1), pads=(2, 1, 2, 1))))
    assert names(layers) == ["pad", "conv2d_add", "pad", "conv2d_add", "conv2d_add"]


def test_functions_ride_on_copies_pools_and_resizes() -> None:
    pen = Pen()
    x = pen.input(6, 4, 4)
    pool = pen.unary(Op.TANH, pen.pool(Op.MAX_POOL, x, ConvAttributes((2, 2), (2, 2))))
    big = pen.unary(Op.SIGMOID, pen.resize(pool, (0, 0, 1, 1), (0, 0, 0, 1)))
    joined = pen.unary(Op.RELU, pen.concat(big, x))
    layers = agreed(pen.graph(joined, pen.unary(Op.TANH, pen.slice(x, (0, 1, 1), (6, 3, 4), (1, 1, 2)))))
    assert names(layers) == ["max_pool2d_tanh", "resize_sigmoid", "concatenate_relu", "slice_tanh"]


def test_average_pool_keeps_a_function_of_another_scale_apart() -> None:
    pen = Pen()
    x = pen.pool(Op.AVERAGE_POOL, pen.input(6, 4, 4), ConvAttributes((2, 2), pads=(1, 0, 1, 0)))
    assert names(agreed(pen.graph(pen.unary(Op.TANH, x)))) == ["avg_pool2d", "tanh"]


def test_channels_last_input_and_output_are_free() -> None:
    pen = Pen()
    x = pen.transpose(pen.input(6, 5, 3), 2, 0, 1)
    layers = agreed(pen.graph(pen.transpose(pen.conv(x, 7, (3, 3)), 1, 2, 0)))
    assert names(layers) == ["conv2d_add"]
    assert layers.segments[0].maps["x0"].source_axes == (0, 1, 2)
    assert layers.segments[0].maps["x0"].channels == 3


def test_outputs_that_share_bytes_get_maps_of_their_own() -> None:
    pen = Pen()
    x = pen.conv(pen.input(4, 3, 3), 8)
    layers = agreed(pen.graph(x, pen.reshape(x, 8, 9), pen.transpose(x, 1, 2, 0)))
    assert len(set(layers.outputs)) == 3
    assert layers.outputs[0] == x


def test_output_that_is_an_input() -> None:
    pen = Pen()
    x = pen.input(4, 3, 3)
    layers = agreed(pen.graph(x))
    assert layers.outputs == ("x0/output",)
    assert names(layers) == ["reshape"]
    pen = Pen()
    layers = agreed(pen.graph(pen.reshape(pen.input(4, 3, 3), 36)))
    assert layers.outputs == ("t0",)


def test_scalars_vectors_and_high_ranks() -> None:
    pen = Pen()
    x = pen.input(2, 3, 4, 5)
    y = pen.unary(Op.SIGMOID, pen.transpose(x, 3, 1, 0, 2))
    agreed(pen.graph(y, pen.gemm(x, 6), pen.reshape(pen.gemm(pen.reshape(x, 120), 1)), pen.concat(x, x, axis=2)))


def test_too_many_axes_are_refused() -> None:
    pen = Pen()
    x = pen.input(2, 3, 2, 3, 2, 3, 2)
    with pytest.raises(UnsupportedError, match="more than 6 axes"):
        lowered(pen.graph(pen.transpose(x, 6, 5, 4, 3, 2, 1, 0), pen.unary(Op.RELU, x)))
