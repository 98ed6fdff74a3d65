"""1,000 random convolutions and transposed convolutions: every form that the rules allow, against onnxruntime.

``python -m tests.long.convolutions [--first N] [--count N]`` judges each from its original file: convolutions exactly,
transposed ones given onnxruntime's input, by one step at most; the archive always exactly as the reference.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from tests.support.fed_nodes import Difference, assert_fed_nodes_agree
from tests.support.judges import assert_judges_agree
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

COUNT = 1000
#: Cells of a kernel that are drawn at most, so that a thousand take minutes.
LARGEST_KERNEL = 8
#: Values of a channel that are spread over strides of 8 and 16 at most.
LARGEST_WIDE = 12


@dataclass(frozen=True, slots=True)
class Drawn:
    """A file with one product; ``transposed`` says which."""

    model: onnx.ModelProto
    transposed: bool
    batch: int
    machine: str
    compress: bool


def drawn(seed: int) -> Drawn:
    """The network of a seed: every second one transposed."""
    random = np.random.default_rng(seed)
    transposed = seed % 2 == 1
    net = QdqGraph(INT8 if random.integers(2) else UINT8, seed=seed)
    channels = int(random.choice([1, 3, 8, 16, 24, 33, int(random.integers(1, 41))]))
    depthwise = bool(random.integers(4) == 0)
    groups = channels if depthwise else 1
    shape = (channels, int(random.integers(1, 14)), int(random.integers(1, 14)))
    x = net.input(shape, scale=float(random.uniform(0.005, 0.05)), zero=int(random.integers(-128, 128)))
    build = _transposed if transposed else _convolution
    y, terms = build(net, random, x, shape, groups)
    if random.integers(2):
        y = net.op("Relu", y)
    scale = 0.01 * 60 * 0.02 * np.sqrt(terms) * float(random.uniform(0.5, 2)) / 40
    net.output(net.pair(y, float(np.float32(scale)), int(random.integers(-128, 128))))
    return Drawn(
        model=net.model(),
        transposed=transposed,
        batch=int(random.integers(1, 6)),
        machine=str(random.choice(["mlsoc", "tiny"])),
        compress=bool(random.integers(2)),
    )


def _convolution(
    net: QdqGraph, random: np.random.Generator, x: str, shape: tuple[int, int, int], groups: int
) -> tuple[str, int]:
    kernel = [int(size) for size in random.integers(1, 6, 2)]
    dilations = [int(size) for size in random.integers(1, 4, 2)]
    span = [(size - 1) * gap + 1 for size, gap in zip(kernel, dilations, strict=True)]
    least = [max(0, reach - size) for reach, size in zip(span, shape[1:], strict=True)]
    pads = [int(random.integers(0, 4)) for _ in range(4)]
    pads = [max(pads[place], least[place % 2]) for place in range(4)]
    strides = [int(size) for size in random.integers(1, 5, 2)]
    outputs = groups if groups > 1 else int(random.integers(1, 41))
    inputs = [x, net.weights((outputs, shape[0] // groups, *kernel), axis=0 if random.integers(2) else None)]
    if random.integers(2):
        inputs.append(net.constant(random.standard_normal(outputs) * 0.1, np.float32))
    settings = {"strides": strides, "dilations": dilations, "pads": pads, "group": groups}
    return net.op("Conv", *inputs, **settings), kernel[0] * kernel[1] * shape[0] // groups


def _transposed(
    net: QdqGraph, random: np.random.Generator, x: str, shape: tuple[int, int, int], groups: int
) -> tuple[str, int]:
    kernel = [int(size) for size in random.integers(1, LARGEST_KERNEL + 1, 2)]
    wide = [8, 16] if shape[1] * shape[2] <= LARGEST_WIDE else []
    strides = [int(size) for size in random.choice([1, 2] if groups > 1 else [1, 2, 2, 4, *wide], 2)]
    outputs = groups if groups > 1 else int(random.integers(1, 41))
    axis = 1 if random.integers(2) and groups == 1 else None
    inputs = [x, net.weights((shape[0], outputs // groups, *kernel), axis=axis)]
    if random.integers(2):
        inputs.append(net.constant(random.standard_normal(outputs) * 0.1, np.float32))
    settings: dict[str, object] = {"strides": strides, "group": groups}
    more = [int(random.integers(0, stride)) for stride in strides]
    laid = [(size - 1) * stride + reach for size, stride, reach in zip(shape[1:], strides, kernel, strict=True)]
    form = int(random.integers(4))
    if form == 0:
        settings["auto_pad"] = str(random.choice(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    elif form == 1:
        settings["output_shape"] = [int(random.integers(max(1, size - 6), size + 1)) for size in laid]
        settings["auto_pad"] = str(random.choice(["SAME_UPPER", "SAME_LOWER", "NOTSET"]))
    else:
        settings["output_padding"] = more
        most = [max(0, (size + extra - 1) // 2) for size, extra in zip(laid, more, strict=True)]
        settings["pads"] = [int(random.integers(0, min(most[place % 2], 3) + 1)) for place in range(4)]
    terms = kernel[0] * kernel[1] * shape[0] // (groups * strides[0] * strides[1])
    return net.op("ConvTranspose", *inputs, **settings), max(1, terms)


def judge(seed: int, folder: Path) -> Difference | None:
    """Fails where something is wrong; what onnxruntime's order of sums changed in a transposed convolution."""
    found = drawn(seed)
    options = {"batch": found.batch, "compress": found.compress, "machine": found.machine}
    if not found.transposed:
        assert_judges_agree(found.model, folder, **options)
        return None
    verdict = assert_fed_nodes_agree(found.model, folder, **options)
    return next(iter(verdict.nodes.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=COUNT)
    options = parser.parse_args()
    off = elements = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.first, options.first + options.count):
            found = judge(seed, Path(folder))
            if found is not None:
                off, elements = off + found.off, elements + found.elements
    print(f"{options.count} networks agree; transposed convolutions: {off} of {elements} elements off by one step")


if __name__ == "__main__":
    main()
