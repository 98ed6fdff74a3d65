"""Attributes, axes, ranks and operands in the combinations of exporters: equal to onnxruntime, or refused by a rule."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from sima_compiler import Model, ModelError, UnsupportedError
from tests.support.judges import assert_reference_agrees
from tests.support.on_mla import on_mla
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

Build = Callable[[QdqGraph], str]

WINDOWS: tuple[dict[str, Any], ...] = (
    {"kernel_shape": (3, 3), "strides": (2, 2), "ceil_mode": 1},
    {"kernel_shape": (2, 2), "strides": (2, 2), "pads": (0, 0, 1, 1), "ceil_mode": 1},
    {"kernel_shape": (3, 2), "strides": (2, 1), "auto_pad": "SAME_LOWER"},
    {"kernel_shape": (2, 3), "strides": (1, 2), "auto_pad": "SAME_UPPER"},
    {"kernel_shape": (3, 3), "auto_pad": "VALID"},
    {"kernel_shape": (3, 3), "pads": (0, 1, 2, 1)},
    {"kernel_shape": (3, 3), "strides": (3, 2), "pads": (1, 1, 1, 1)},
    {"kernel_shape": (2, 2), "dilations": (2, 2)},
    {"kernel_shape": (7, 9)},
)
POOLS = [(operator, window, opset) for operator, window, opset in product(
    ("MaxPool", "AveragePool"), WINDOWS, (13, 22)) if operator == "MaxPool" or opset > 18 or "dilations" not in window
]  # fmt: skip


def exact_or_refused(build: Build, *, kind: type = UINT8, opset: int = 17, batch: int | str = "N") -> bool:
    """Whether the network is read; every element is compared then. Anything but an error of a rule is a failure."""
    net = QdqGraph(kind, seed=1, opset=opset, batch=batch)
    net.output(net.pair(build(net), 0.0213, 3))
    try:
        model = on_mla(net.model())
    except UnsupportedError:
        return False
    assert_reference_agrees(net.model(), batch=5, model=model)
    return True


@pytest.mark.parametrize("kind", [UINT8, INT8])
@pytest.mark.parametrize("counts", [None, 1])
def test_pools(kind: type, counts: int | None) -> None:
    """Only windows that are rounded up to more results, or dilated, are refused."""
    refused = 0
    for operator, window, opset in POOLS:
        more = {} if counts is None or operator == "MaxPool" else {"count_include_pad": counts}
        attributes = window | more
        read = exact_or_refused(
            lambda net, op=operator, given=attributes: net.op(op, net.input((5, 7, 9)), **given), kind=kind, opset=opset
        )
        refused += not read
        assert read or "ceil_mode" in window or "dilations" in window, (operator, attributes)
    assert 0 < refused < len(POOLS) // 3


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
@pytest.mark.parametrize("rule", ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
def test_convolutions(groups: int, rule: str) -> None:
    pads = {"pads": (1, 0, 2, 1)} if rule == "NOTSET" else {}
    assert exact_or_refused(lambda net: net.op(
        "Conv", net.input((8, 6, 7)), net.weights((8, 8 // groups, 3, 2), axis=0), "", group=groups, strides=(2, 1),
        auto_pad=rule, **pads,
    ))  # fmt: skip


@pytest.mark.parametrize("shape", [(), (5,), (3, 5), (2, 3, 5), (2, 2, 3, 4), (2, 2, 2, 3, 2)])
def test_ranks(shape: tuple[int, ...]) -> None:
    forms: tuple[Build, ...] = (
        lambda net: net.op("Relu", net.input(shape)),
        lambda net: net.op("Add", net.input(shape), net.input(shape, "other")),
        lambda net: net.op("Mul", net.operand(37, 0.01), net.input(shape)),
    )
    for form in forms:
        assert exact_or_refused(form) or len(shape) > 4


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
def test_constants_that_broadcast(operator: str) -> None:
    """Every shape that fits is read, or refused for varying along several axes or with the batch."""
    read = 0
    for shape in ((), (1,), (6,), (5, 1), (4, 1, 1), (1, 4, 1, 1), (4, 5, 6), (1, 5, 6), (2, 4, 5, 6)):
        values = np.random.default_rng(1).uniform(0.5, 2, shape)
        read += exact_or_refused(
            lambda net, values=values: net.op(operator, net.input((4, 5, 6)), net.constant(values, np.float32))
        )
    assert read >= 6


@pytest.mark.parametrize("axis", [-4, -3, -1, 0, 1, 2, 3])
def test_axes_from_either_end(axis: int) -> None:
    assert exact_or_refused(lambda net: net.op("Flatten", net.input((3, 4, 5)), axis=axis)) == (axis in (-3, 1))
    assert exact_or_refused(
        lambda net: net.op("Concat", net.input((3, 4, 5)), net.input((3, 4, 5), "other"), axis=axis)
    ) == (axis not in (-4, 0))


@pytest.mark.parametrize("opset", [13, 18])
def test_inputs_that_are_left_out(opset: int) -> None:
    forms: list[Build] = [
        lambda net: net.op("Clip", net.input((3, 4)), "", net.constant(0.5, np.float32)),
        lambda net: net.op("Tanh", net.op("Clip", net.input((3, 4)))),
        lambda net: net.op("Resize", net.input((3, 4, 4)), "", net.constant([1, 1, 2, 2], np.float32)),
        lambda net: net.op("Pad", net.input((3, 4, 4)), net.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64), ""),
        lambda net: net.op("Gemm", net.input((6,)), net.weights((6, 4)), ""),
        lambda net: net.op("Tanh", net.op("Dropout", net.input((3, 4)), "", net.constant(False, np.bool_))),
    ]
    assert all(exact_or_refused(form, opset=opset) for form in forms)


@pytest.mark.parametrize("size", [0, -1])
def test_sizes_that_hold_nothing(size: int) -> None:
    net = QdqGraph()
    net.output(net.pair(net.op("Relu", net.input((3, size)))))
    with pytest.raises(ModelError):
        Model.from_onnx(net.model())
