"""What tests of exporters' forms share: a sheet of forms by name, and a network of one of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from tests.support.qdq_graph import UINT8, QdqGraph

Build = Callable[[QdqGraph], str]


class Forms(dict[str, Build]):
    """Forms by name; as a decorator, it takes one in under its function's name."""

    def __call__(self, build: Build) -> Build:
        self[build.__name__.replace("_", " ")] = build
        return build

    def network(self, name: str, kind: type = UINT8) -> onnx.ModelProto:
        """The form between an input and a pair, with a seed of its own."""
        net = QdqGraph(kind, seed=len(name))
        net.output(net.pair(self[name](net), 0.0217, 3))
        return net.model()


def integers(net: QdqGraph, *values: int) -> str:
    return net.constant(values, np.int64)


def real(net: QdqGraph, value: object) -> str:
    return net.constant(value, np.float32)


def padded(net: QdqGraph, fill: float | None, *pads: int, mode: str = "constant") -> str:
    inputs = [net.input((3, 6, 7), scale=0.01, zero=-128), integers(net, *pads)]
    return net.op("Pad", *inputs, *([] if fill is None else [real(net, fill)]), mode=mode)
