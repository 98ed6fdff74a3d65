"""Trains the digit network of the tutorials: ``python notebooks/digits/train.py`` (or ``make digits``), half a minute.

In: the 1,797 handwritten digits that scikit-learn brings (8x8 pixels, values 0 to 16). Out, beside this file:
``digits.onnx`` (float, weights of 77 kB) and ``digits.npz`` (the images that were kept back, and a few to calibrate
with). Plain numpy: three convolutions and a dense layer, Adam, images shifted by a pixel at random.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[np.float32]
Parameters = dict[str, Array]

FOLDER = Path(__file__).parent
SEED = 7
#: One image in five is kept back and never trained on; 100 of the others are enough to calibrate two layers' ranges.
KEPT_BACK, CALIBRATION = 360, 100
EPOCHS, BATCH = 40, 32
RATE, DECAY = 2e-3, 0.93
#: Adam's usual constants (Kingma and Ba, 2015).
FIRST, SECOND, TINY = 0.9, 0.999, 1e-8


def main() -> int:
    """Train, say how good it became, and write both files."""
    images, labels = _digits()
    order = np.random.default_rng(SEED).permutation(len(images))
    kept, rest = order[:KEPT_BACK], order[KEPT_BACK:]
    parameters = _trained(images[rest], labels[rest])
    accuracy = float((_scores(parameters, images[kept]).argmax(1) == labels[kept]).mean())
    sys.stdout.write(f"{accuracy:.1%} of {KEPT_BACK} images that were kept back are recognised\n")
    onnx.save(_onnx(parameters), FOLDER / "digits.onnx")
    np.savez_compressed(
        FOLDER / "digits.npz",
        images=np.round(images[kept] * 16).astype(np.uint8),
        labels=labels[kept].astype(np.uint8),
        calibration=np.round(images[rest[:CALIBRATION]] * 16).astype(np.uint8),
    )
    return 0


def _digits() -> tuple[Array, npt.NDArray[np.int64]]:
    """Images N x 1 x 8 x 8 from 0 to 1, and what they show."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images[:, None] / 16).astype(np.float32), found.target.astype(np.int64)


def _start(random: np.random.Generator) -> Parameters:
    """He's initialization."""
    shapes = {"w1": (16, 1, 3, 3), "w2": (32, 16, 3, 3), "w3": (32, 32, 3, 3), "w4": (10, 512)}
    weights = {
        name: (random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)
        for name, shape in shapes.items()
    }
    return weights | {f"b{name[1]}": np.zeros(shape[0], np.float32) for name, shape in shapes.items()}


def _trained(images: Array, labels: npt.NDArray[np.int64]) -> Parameters:
    random = np.random.default_rng(SEED)
    parameters = _start(random)
    step = _adam(parameters)
    for epoch in range(EPOCHS):
        order = random.permutation(len(images))
        for at in range(0, len(order), BATCH):
            chosen = order[at : at + BATCH]
            shifted = np.roll(images[chosen], tuple(random.integers(-1, 2, 2)), axis=(2, 3))
            step(_gradients(parameters, shifted, labels[chosen]), RATE * DECAY**epoch)
    return parameters


def _adam(parameters: Parameters) -> Callable[[Parameters, float], None]:
    means = {name: np.zeros_like(value) for name, value in parameters.items()}
    squares = {name: np.zeros_like(value) for name, value in parameters.items()}
    count = 0

    def step(gradients: Parameters, rate: float) -> None:
        nonlocal count
        count += 1
        for name, gradient in gradients.items():
            means[name] += (1 - FIRST) * (gradient - means[name])
            squares[name] += (1 - SECOND) * (gradient**2 - squares[name])
            mean, square = means[name] / (1 - FIRST**count), squares[name] / (1 - SECOND**count)
            parameters[name] -= rate * mean / (np.sqrt(square) + TINY)

    return step


def _scores(parameters: Parameters, images: Array) -> Array:
    return _forward(parameters, images)["scores"]


def _forward(parameters: Parameters, images: Array) -> dict[str, Array]:
    """Every value of the network that the way back needs."""
    kept: dict[str, Array] = {"x0": images}
    for index in (1, 2, 3):
        before = kept[f"x{index - 1}"]
        if index == 3:
            kept["pooled"] = before = _blocks(before).max((3, 5))
        sums = _convolved(before, parameters[f"w{index}"])
        kept[f"x{index}"] = np.maximum(sums + parameters[f"b{index}"][:, None, None], 0)
    kept["scores"] = kept["x3"].reshape(len(images), -1) @ parameters["w4"].T + parameters["b4"]
    return kept


def _gradients(parameters: Parameters, images: Array, labels: npt.NDArray[np.int64]) -> Parameters:
    """Of the mean cross entropy."""
    kept = _forward(parameters, images)
    likely = np.exp(kept["scores"] - kept["scores"].max(1, keepdims=True))
    wrong = likely / likely.sum(1, keepdims=True)
    wrong[np.arange(len(labels)), labels] -= 1
    wrong /= len(labels)
    found = {"w4": wrong.T @ kept["x3"].reshape(len(images), -1), "b4": wrong.sum(0)}
    back = (wrong @ parameters["w4"]).reshape(kept["x3"].shape)
    for index in (3, 2, 1):
        back = back * (kept[f"x{index}"] > 0)
        before = kept["pooled"] if index == 3 else kept[f"x{index - 1}"]
        weights = parameters[f"w{index}"]
        by_output = back.transpose(1, 0, 2, 3).reshape(len(weights), -1)
        found[f"w{index}"] = (by_output @ _windows(before)).reshape(weights.shape)
        found[f"b{index}"] = by_output.sum(1)
        back = _convolved(back, weights[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
        if index == 3:
            back = _unpooled(back, kept["x2"], kept["pooled"])
    return found


def _convolved(maps: Array, weights: Array) -> Array:
    """3x3, zeros around the map: N x C x H x W and O x C x 3 x 3 give N x O x H x W."""
    count, _, rows, columns = maps.shape
    sums = _windows(maps) @ weights.reshape(len(weights), -1).T
    return sums.reshape(count, rows, columns, -1).transpose(0, 3, 1, 2)


def _windows(maps: Array) -> Array:
    """The 3x3 neighbourhood of every pixel as a row: (N * H * W) x (C * 9)."""
    windows = sliding_window_view(np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, 9 * maps.shape[1])


def _blocks(maps: Array) -> Array:
    count, channels, rows, columns = maps.shape
    return maps.reshape(count, channels, rows // 2, 2, columns // 2, 2)


def _unpooled(back: Array, before: Array, pooled: Array) -> Array:
    """The gradient in front of 2x2 max pooling: to the largest of each block, shared where two are equal."""
    largest = _blocks(before) == pooled[:, :, :, None, :, None]
    shares = largest / largest.sum((3, 5), keepdims=True)
    return (shares * back[:, :, :, None, :, None]).reshape(before.shape).astype(np.float32)


def _onnx(parameters: Parameters) -> onnx.ModelProto:
    def convolution(index: int, before: str) -> list[onnx.NodeProto]:
        names = [before, f"w{index}", f"b{index}"]
        conv = helper.make_node("Conv", names, [f"sums{index}"], name=f"conv{index}", pads=[1, 1, 1, 1])
        return [conv, helper.make_node("Relu", [f"sums{index}"], [f"x{index}"], name=f"relu{index}")]

    nodes = [
        *convolution(1, "image"),
        *convolution(2, "x1"),
        helper.make_node("MaxPool", ["x2"], ["pooled"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        *convolution(3, "pooled"),
        helper.make_node("Flatten", ["x3"], ["features"], name="flatten"),
        helper.make_node("Gemm", ["features", "w4", "b4"], ["scores"], name="dense", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(value, name) for name, value in parameters.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="sima-nb tutorials")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    sys.exit(main())
