"""Networks of a few nodes that a test names, builds and compares with onnxruntime on the file itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sima_compiler import Model
from tests.support.judges import assert_judges_agree
from tests.support.qdq_graph import QdqGraph

Build = Callable[[QdqGraph], None]


class Forms(dict[str, tuple[Build, int]]):
    """Builders by name, with their operator sets; ``@forms()`` adds one."""

    def __call__(self, opset: int = 17) -> Callable[[Build], Build]:
        def register(build: Build) -> Build:
            self[build.__name__] = (build, opset)
            return build

        return register

    def assert_exact(self, name: str, kind: type, folder: Path) -> None:
        """All judges agree on the network, its activations of type ``kind``."""
        build, opset = self[name]
        net = QdqGraph(kind, opset=opset)
        build(net)
        assert_judges_agree(net.model(), folder, batch=2, compress=True)


def finish(net: QdqGraph, value: str, scale: float = 0.05, zero: int = -7) -> None:
    net.output(net.pair(value, scale, zero))


def dequantized(net: QdqGraph, array: Any, kind: type, scale: Any, zero: Any = None, **attributes: Any) -> str:
    parts = [net.constant(array, kind), net.constant(scale, np.float32)]
    parts += [] if zero is None else [net.constant(zero, kind)]
    return net.op("DequantizeLinear", *parts, **attributes)


def conv(net: QdqGraph, weights: str, *bias: str, scale: float = 0.02, out: float = 0.05) -> None:
    finish(net, net.op("Conv", net.input((3, 6, 6), scale=scale), weights, *bias), out)


def drawn(net: QdqGraph, low: int, high: int, shape: tuple[int, ...] = (4, 3, 3, 3)) -> np.ndarray:
    return net.random.integers(low, high + 1, shape)


def read(build: Build, opset: int = 17) -> Model:
    net = QdqGraph(opset=opset)
    build(net)
    return Model.from_onnx(net.model())


def behind_pair(net: QdqGraph, array: Any, scale: float) -> str:
    real = net.constant(array, np.float32)
    parameters = [net.constant(scale, np.float32), net.constant(0, np.int8)]
    return net.op("DequantizeLinear", net.op("QuantizeLinear", real, *parameters), *parameters)


def pruned(net: QdqGraph, *channels: int) -> tuple[str, np.ndarray]:
    scales = net.random.uniform(0.005, 0.02, 4).astype(np.float32)
    scales[list(channels)] = 0
    return dequantized(net, drawn(net, -127, 127), np.int8, scales, [0] * 4, axis=0), scales
