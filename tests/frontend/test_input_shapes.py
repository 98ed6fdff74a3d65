"""Sizes that a file leaves open: from the samples, from the person, or refused with the option that helps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest

from sima_compiler import CalibrationError, Model, ModelError, OptionError, quantize
from tests.networks.float_net import FloatNet
from tests.support.judges import assert_reference_agrees, signal_to_noise
from tests.support.qdq_writer import Style, write_qdq


def network(side: int = 12) -> onnx.ModelProto:
    net = FloatNet(3)
    x = net.unary("Relu", net.conv(net.input((3, side, side), "image"), 8, 3))
    return net.model([net.conv(x, 4), net.global_pool(x)], "net")


def opened(source: onnx.ModelProto, *symbols: str | None, first: int = 1) -> onnx.ModelProto:
    """The sizes of the input from dimension ``first`` on become symbols (None: nameless); outputs follow."""
    result = onnx.ModelProto()
    result.CopyFrom(source)
    dims = result.graph.input[0].type.tensor_type.shape.dim
    for dim, symbol in zip(dims[first:], symbols, strict=True):
        dim.Clear()
        if symbol:
            dim.dim_param = symbol
    for entry in result.graph.output:
        for dim in entry.type.tensor_type.shape.dim[2:]:
            if dim.dim_value > 1:
                dim.dim_param = symbols[-1] or ""
    del result.graph.value_info[:]
    return result


def images(rows: int, columns: int, count: int = 3) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(4)
    return [{"image": random.standard_normal((2, 3, rows, columns), dtype=np.float32)} for _ in range(count)]


@pytest.mark.parametrize(
    ("symbols", "first", "rows", "columns"),
    [
        (("height", "width"), 2, 16, 12),
        (("side", "side"), 2, 12, 20),  # one symbol for two sizes that differ
        ((None, None), 2, 9, 12),
        (("width",), 3, 12, 16),
        (("channels", "height", "width"), 1, 12, 10),
        (("batch", "height", "width"), 1, 8, 8),  # the batch's own symbol again
    ],
)
def test_open_sizes_are_those_of_the_samples(symbols: Sequence[str], first: int, rows: int, columns: int) -> None:
    source = opened(network(), *symbols, first=first)
    model = quantize(source, images(rows, columns))
    assert model.inputs == {"image": (3, rows, columns)}
    assert min(signal_to_noise(source, model).values()) > 25
    (x,) = images(rows, columns, 1)
    assert [array.shape[0] for array in model.execute({"image": np.concatenate([x["image"]] * 3)})] == [6, 6]


def test_an_input_without_any_shape_takes_the_samples() -> None:
    source = network()
    source.graph.input[0].type.tensor_type.ClearField("shape")
    assert quantize(source, images(10, 12)).inputs == {"image": (3, 10, 12)}


def test_the_named_shape_goes_before_the_samples_and_must_fit_them() -> None:
    source = opened(network(), "height", "width", first=2)
    assert quantize(source, images(8, 8), input_shapes={"image": (1, 3, 8, 8)}).inputs == {"image": (3, 8, 8)}
    with pytest.raises(CalibrationError, match=r"expected shape \(batch, 3, 10, 8\), found \(2, 3, 8, 8\)"):
        quantize(source, images(8, 8), input_shapes={"image": (1, 3, 10, 8)})


@pytest.mark.parametrize("shape", [(1, 3, 12, 12), (7, 3, 12, 16)], ids=str)
def test_a_quantized_file_takes_a_named_shape_and_keeps_its_batch_open(shape: tuple[int, ...]) -> None:
    source = write_qdq(network(), 3, Style())
    model = Model.from_onnx(opened(source, "height", "width", first=2), input_shapes={"image": shape})
    assert model.inputs == {"image": shape[1:]}
    assert model.graph.batch == 0
    assert_reference_agrees(source, model=model) if shape[1:] == (3, 12, 12) else model.execute(images(12, 16, 1)[0])


def test_every_open_input_is_named_with_the_option_that_fixes_it() -> None:
    net = FloatNet(3)
    total = net.binary("Add", net.conv(net.input((3, 8, 8), "left"), 4), net.conv(net.input((3, 8, 8), "right"), 4))
    source = write_qdq(net.model([total]), 3, Style())
    for entry in source.graph.input:
        entry.type.tensor_type.shape.dim[2].dim_param = "h"
        entry.type.tensor_type.shape.dim[3].dim_param = "w"
    with pytest.raises(ModelError, match=r"'left': dimensions 2 and 3 have no fixed size.*'right'") as caught:
        Model.from_onnx(source)
    assert "--input-shape left=1x3xHxW --input-shape right=1x3xHxW" in caught.value.hint


@pytest.mark.parametrize(
    ("shapes", "part"),
    [
        ({"picture": (1, 3, 8, 8)}, "no input 'picture'"),
        ({"image": (1, 3, 8)}, "has 3 dimensions, the file 4"),
        ({"image": (1, 4, 8, 8)}, "dimension 1 is 3 in the file, not 4"),
        ({"image": (1, 3, 0, 8)}, "below 1"),
        ({"image": ()}, "below 1"),
    ],
)
def test_a_shape_that_contradicts_the_file(shapes: dict[str, tuple[int, ...]], part: str) -> None:
    source = opened(network(), "height", "width", first=2)
    with pytest.raises(OptionError, match=part):
        quantize(source, images(8, 8), input_shapes=shapes)


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((2, 12, 12, 3), "array.transpose(0, 3, 1, 2)"),
        ((3, 12, 12), "array[None]"),
        ((12, 12, 3), "array.transpose(2, 0, 1)[None]"),
    ],
    ids=str,
)
def test_another_layout_of_the_samples_is_recognized(shape: tuple[int, ...], hint: str, is_open: bool) -> None:
    source = opened(network(), "height", "width", first=2) if is_open else network()
    with pytest.raises(CalibrationError) as caught:
        quantize(source, [{"image": np.zeros(shape, np.float32)}])
    assert str(shape) in caught.value.message
    assert hint in caught.value.hint


def test_channels_first_samples_for_a_channels_last_input() -> None:
    net = FloatNet(3)
    x = net.node("Transpose", [net.input((12, 10, 3), "image")], (3, 12, 10), perm=[0, 3, 1, 2])
    with pytest.raises(CalibrationError) as caught:
        quantize(net.model([net.conv(x, 4)]), images(12, 10))
    assert "array.transpose(0, 2, 3, 1)" in caught.value.hint
