"""Every operator that the vendor lists for the MLA: read at the edges of its published constraint, refused beyond.

A row is an operator by its published name, what its constraint lets through at its edges, and the first thing beyond
with the sentence that refuses it. What is let through equals onnxruntime on the file (operators of the list of
`frontend.float_inside` given its input); the first case of each operator runs on the MLA alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sima_compiler import Archive, Model, UnsupportedError
from tests.support.fed_nodes import assert_fed_nodes_agree
from tests.support.on_mla import on_mla
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

Build = Callable[[QdqGraph], str]
IMAGE = (8, 12, 10)


@dataclass(frozen=True, slots=True)
class Row:
    """``within``: cases by what they are. ``beyond``: a case and a piece of its rule, by what it is."""

    within: Mapping[str, Build]
    beyond: Mapping[str, tuple[Build, str]] = field(default_factory=dict[str, tuple[Build, str]])


def real(net: QdqGraph, value: object) -> str:
    return net.constant(value, np.float32)


def whole(net: QdqGraph, *values: int) -> str:
    return net.constant(values, np.int64)


def drawn(net: QdqGraph, *shape: int) -> str:
    return real(net, net.random.uniform(0.2, 1.5, shape))


def of(operator: str, *shape: int, **attributes: Any) -> Build:
    """The operator on one input."""
    return lambda net: net.op(operator, net.input(shape or IMAGE, scale=0.02, zero=3), **attributes)


def with_numbers(operator: str, *numbers: object, **attributes: Any) -> Build:
    """On one input and int64 constants."""
    return lambda net: net.op(operator, net.input(IMAGE), *(net.constant(n, np.int64) for n in numbers), **attributes)


def of_two(operator: str, left: tuple[int, ...] = IMAGE, right: tuple[int, ...] = IMAGE) -> Build:
    return lambda net: net.op(operator, net.input(left, "left"), net.input(right, "right", scale=0.03, zero=-90))


def of_constant(operator: str, *shape: int) -> Build:
    return lambda net: net.op(operator, net.input(IMAGE), drawn(net, *shape))


def elementwise(operator: str) -> Row:
    """The same shape, one value, or what broadcasts."""
    return Row(
        {
            "the same shape": of_two(operator),
            "one value": of_constant(operator),
            "per channel": of_two(operator, right=(8, 1, 1)),
            "rows and channels": of_constant(operator, 8, 12, 1),
        },
        {"another batch": (of_constant(operator, 2, 8, 1, 1), "first dimension")},
    )


def table(operator: str, **attributes: Any) -> Row:
    """A function of one value has no constraint."""
    return Row({"any shape": of(operator, **attributes), "a vector": of(operator, 20, **attributes)})


def conv(net: QdqGraph, shape: tuple[int, ...], kernel: tuple[int, int], groups: int = 1, **attributes: Any) -> str:
    weights = net.weights((6 if groups == 1 else groups, shape[0] // groups, *kernel), axis=0)
    return net.op("Conv", net.input(shape), weights, group=groups, **attributes)


def transposed(stride: int, *, depthwise: bool = False, groups: int = 1, **attributes: Any) -> Build:
    def build(net: QdqGraph) -> str:
        outputs = 1 if depthwise else 6 // groups
        weights = net.weights((6, outputs, 3, 3))
        count = 6 if depthwise else groups
        return net.op("ConvTranspose", net.input((6, 4, 3)), weights, strides=[stride] * 2, group=count, **attributes)

    return build


def pool(operator: str) -> Row:
    return Row(
        {
            "a window of 127": of(operator, 2, 127, 3, kernel_shape=[127, 2]),
            "pads": of(operator, kernel_shape=[3, 3], pads=[1, 1, 1, 1], **counted(operator)),
            "stride 31": of(operator, 2, 40, 35, kernel_shape=[2, 2], strides=[31, 31]),
        },
        {
            "a window of 128": (of(operator, 2, 129, 3, kernel_shape=[128, 2]), "smaller than 128"),
            "dilations": (of(operator, kernel_shape=[2, 2], dilations=[2, 1]), "pooling dilations are 1"),
            "rounded up": (of(operator, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), "rounded down"),
        },
    )


def counted(operator: str) -> dict[str, int]:
    return {"count_include_pad": 1} if operator == "AveragePool" else {}


def norm(operator: str, count: int) -> Row:
    """Over the last axis, gains and offsets constant."""

    def build(net: QdqGraph) -> str:
        return net.op(operator, net.input((9, 24)), *(drawn(net, 24) for _ in range(count)), axis=-1)

    def over_batch(net: QdqGraph) -> str:
        net.batch = 1
        return net.op(operator, net.input((9, 24)), *(drawn(net, 1, 9, 24) for _ in range(count)), axis=0)

    def computed(net: QdqGraph) -> str:
        others = [net.input((24,), f"gain_{place}") for place in range(count)]
        return net.op(operator, net.input((24,)), *others, axis=-1)

    return Row(
        {"channels": build},
        {"the batch": (over_batch, "first dimension"), "computed gains": (computed, "gains and offsets")},
    )


def reduced(operator: str) -> Row:
    def over(*axes: int, **attributes: Any) -> Build:
        if operator == "ReduceSum":
            return with_numbers(operator, axes, **attributes)
        return of(operator, axes=list(axes), **attributes)

    return Row(
        {"rows and columns": over(2, 3), "channels": over(1), "all": over(1, 2, 3), "dropped": over(2, keepdims=0)},
        {"the batch": (over(0, 1), "first dimension")},
    )


def variance(net: QdqGraph) -> str:
    """As exporters write it, quantized between: the mean of squares of what the mean was taken off."""
    x = net.input(IMAGE)
    mean = net.pair(net.op("ReduceMean", x, axes=[1], keepdims=1), 0.0097, 0)
    off = net.pair(net.op("Sub", x, mean), 0.03, 0)
    return net.op("ReduceMean", net.pair(net.op("Mul", off, off), 0.0413, -128), axes=[1], keepdims=1)


def reciprocal_root(net: QdqGraph) -> str:
    return net.op("Reciprocal", net.op("Sqrt", net.op("Add", net.op("Abs", net.input(IMAGE)), real(net, 0.4))))


def resized(mode: str, coordinates: str, *, scale: float = 2.0, **attributes: Any) -> Build:
    def build(net: QdqGraph) -> str:
        scales = real(net, [1, 1, scale, scale])
        return net.op("Resize", net.input(IMAGE), "", scales, mode=mode, nearest_mode="floor",
                      coordinate_transformation_mode=coordinates, **attributes)  # fmt: skip

    return build


def swish(net: QdqGraph) -> str:
    x = net.input(IMAGE)
    return net.op("Mul", x, net.op("Sigmoid", x))


def padded(mode: str, *pads: int) -> Build:
    return lambda net: net.op("Pad", net.input(IMAGE, scale=0.5, zero=-3), whole(net, *pads), real(net, 0), mode=mode)


def sloped(net: QdqGraph) -> str:
    return net.op("PRelu", net.input(IMAGE), drawn(net, 8, 1, 1))


def computed_slopes(net: QdqGraph) -> str:
    return net.op("PRelu", net.input(IMAGE), net.input((8, 1, 1), "slopes"))


def joined(axis: int) -> Build:
    return lambda net: net.op("Concat", net.input(IMAGE, "one"), net.input(IMAGE, "two"), axis=axis)


def split(axis: int) -> Build:
    def build(net: QdqGraph) -> str:
        net.batch = 2 if axis == 0 else "batch"
        parts = net.op("Split", net.input(IMAGE), outputs=2, axis=axis)
        return net.op("Add", *(net.pair(part, 0.02, 3) for part in parts))

    return build


def product(equation: str) -> Build:
    return lambda net: net.op("Einsum", net.input((3, 5, 7), "left"), net.input((3, 6, 7), "right"), equation=equation)


ROWS: Mapping[str, Row] = {
    **{name: elementwise(name) for name in ("Add", "Sub", "Mul", "Div")},
    "Pow": Row(
        {"a number": lambda net: net.op("Pow", net.input(IMAGE), real(net, 2)), "any shape": of_constant("Pow", 12, 1)},
        {"computed": (of_two("Pow"), "exponents of a Pow are constants")},
    ),
    **{name: table(name) for name in ("Erf", "Exp", "HardSwish", "Softplus", "Sigmoid", "Tanh", "Relu", "Reciprocal",
                                      "Sqrt", "Log")},
    "Elu": table("Elu", alpha=0.7),
    "LeakyRelu": table("LeakyRelu", alpha=0.2),
    "HardSigmoid": table("HardSigmoid", alpha=0.3, beta=0.4),
    "Gelu": Row({"tanh": of("Gelu", approximate="tanh"), "exact": of("Gelu")}),
    "Swish": Row({"written out": swish, "a gate": of("Swish", alpha=1.3)}),
    "Rsqrt": Row({"written out": reciprocal_root}),
    "Clip": Row({"two limits": lambda net: net.op("Clip", net.input(IMAGE), real(net, -0.5), real(net, 1.1))}),
    "PRelu": Row({"a slope per channel": sloped}, {"computed": (computed_slopes, "slopes are constants")}),
    "Conv": Row(
        {
            "stride 31": lambda net: conv(net, (4, 40, 33), (2, 2), strides=[31, 31]),
            "dilation 63": lambda net: conv(net, (2, 70, 65), (2, 2), dilations=[63, 63]),
            "depthwise": lambda net: conv(net, IMAGE, (3, 3), 8),
            "groups": lambda net: conv(net, IMAGE, (3, 3), 4),
        },
        {
            "stride 32": (lambda net: conv(net, (4, 40, 33), (2, 2), strides=[32, 1]), "strides are from 1 to 31"),
            "dilation 64": (lambda net: conv(net, (2, 70, 65), (2, 2), dilations=[64, 1]), "from 1 to 63"),
            "a line": (lambda net: net.op("Conv", net.input((4, 9)), net.weights((3, 4, 3))), "4-D tensors"),
        },
    ),
    "ConvTranspose": Row(
        {
            **{f"stride {stride}": transposed(stride) for stride in (1, 2, 4, 8, 16)},
            **{f"depthwise, stride {stride}": transposed(stride, depthwise=True) for stride in (1, 2)},
        },
        {
            "stride 3": (transposed(3), "strides are 1, 2, 4, 8 or 16"),
            "depthwise, stride 4": (transposed(4, depthwise=True), "depthwise 1 or 2"),
            "dilation 2": (transposed(2, dilations=[2, 2]), "ConvTranspose dilations are 1"),
            "two groups": (transposed(2, groups=2), "one group, or is depthwise"),
        },
    ),
    "MaxPool": pool("MaxPool"),
    "AveragePool": pool("AveragePool"),
    "GlobalAveragePool": Row({"any size": of("GlobalAveragePool", 8, 130, 3)}),
    "GlobalMaxPool": Row({"any size": of("GlobalMaxPool", 8, 130, 3)}),
    "MatMul": Row(
        {
            "a matrix": lambda net: net.op("MatMul", net.input((9, 24)), net.weights((24, 7), axis=1)),
            "two activations": of_two("MatMul", (3, 5, 7), (3, 7, 4)),
        },
        {"another batch": (of_two("MatMul", (5, 7), (3, 7, 4)), "as many axes")},
    ),
    "Einsum": Row(
        {"a product": product("bhid,bhjd->bhij"), "one operand": of("Einsum", equation="bchw->bhwc")},
        {"a sum of one": (product("bhid,bhjd->bhj"), "none of whose letters is summed alone")},
    ),
    "Softmax": Row({"channels": of("Softmax", axis=1), "columns": of("Softmax", axis=-1)},
                   {"the batch": (of("Softmax", axis=0), "first dimension")}),
    "ArgMax": Row({"channels": of("ArgMax", axis=1)}, {"the batch": (of("ArgMax", axis=0), "first dimension")}),
    "LayerNorm": norm("LayerNormalization", 2),
    "RMSNorm": norm("RMSNormalization", 1),
    "InstanceNorm": Row(
        {"an image": lambda net: net.op("InstanceNormalization", net.input(IMAGE), drawn(net, 8), drawn(net, 8))},
        {"no pixels": (lambda net: net.op("InstanceNormalization", net.input((8,)), drawn(net, 8), drawn(net, 8)),
                       "pixels behind its channels")},
    ),
    "LRN": Row({"5 channels": of("LRN", size=5)}, {"4 channels": (of("LRN", size=4), "size is odd")}),
    "ReduceMean": reduced("ReduceMean"),
    "ReduceMax": reduced("ReduceMax"),
    "ReduceSum": reduced("ReduceSum"),
    "Variance": Row({"channels": variance}),
    "Concat": Row({"channels": joined(1), "columns": joined(-1)}, {"the batch": (joined(0), "first dimension")}),
    "Transpose": Row({"any order": of("Transpose", perm=[0, 3, 1, 2])},
                     {"the batch": (of("Transpose", perm=[1, 0, 2, 3]), "first dimension")}),
    "Reshape": Row({"any shape": with_numbers("Reshape", [0, 6, -1])},
                   {"the batch": (with_numbers("Reshape", [-1, 10]), "first dimension")}),
    "Slice": Row({"steps": with_numbers("Slice", [1, 2], [8, 10], [1, 3], [3, 2])},
                 {"backwards": (with_numbers("Slice", [7], [0], [1], [-1]), "steps are positive")}),
    "Split": Row({"channels": split(1), "rows": split(2)}, {"the batch": (split(0), "first dimension")}),
    "Pad": Row(
        {"zeros": padded("constant", 0, 0, 1, 2, 0, 0, 3, 4), "reflected": padded("reflect", 0, 0, 2, 1, 0, 0, 1, 1)},
        {"too far": (padded("reflect", 0, 0, 12, 0, 0, 0, 0, 0), "smaller than the axis")},
    ),
    "Resize": Row(
        {"nearest": resized("nearest", "asymmetric"), "linear": resized("linear", "half_pixel"),
         "smaller": resized("linear", "half_pixel", scale=0.5)},
        {"cubic": (resized("cubic", "half_pixel"), "nearest neighbour or interpolates linearly")},
    ),
    "DepthToSpace": Row({"DCR": of("DepthToSpace", blocksize=2, mode="DCR"),
                         "CRD": of("DepthToSpace", blocksize=2, mode="CRD")}),
    "SpaceToDepth": Row({"blocks": of("SpaceToDepth", blocksize=2)}),
    "BroadcastTo": Row(
        {"rows": lambda net: net.op("Expand", net.input((8, 1, 10)), whole(net, 1, 8, 12, 10))},
        {"more axes": (lambda net: net.op("Expand", net.input((8,)), whole(net, 2, 1, 8)), "first dimension")},
    ),
    "Take": Row({"constant places": with_numbers("Gather", [3, 0, 0], axis=1)},
                {"the batch": (with_numbers("Gather", [0], axis=0), "first dimension")}),
}  # fmt: skip
#: The vendor's list has no ReduceMin, CumSum and GridSample on bytes, nor a Gather by data.
NOT_LISTED: Mapping[str, Build] = {
    "ReduceMin": of("ReduceMin", axes=[1]),
    "CumSum": lambda net: net.op("CumSum", net.input(IMAGE), net.constant(1, np.int64)),
    "GridSample": lambda net: net.op("GridSample", net.input(IMAGE), net.input((4, 4, 2), "grid")),
}


#: Operators that older sets do not have, or that have their axes as inputs there.
OPSETS = {"Gelu": 20, "Swish": 24, "RMSNorm": 23, "GridSample": 16}


def network(operator: str, build: Build, kind: type = UINT8) -> onnx.ModelProto:
    net = QdqGraph(kind, seed=len(operator), opset=OPSETS.get(operator, 17))
    value = build(net)
    net.output(value, dtype=onnx.TensorProto.INT64) if operator == "ArgMax" else net.output(net.pair(value, 0.0217, -9))
    return net.model()


@pytest.mark.parametrize(("operator", "case"), [(name, case) for name, row in ROWS.items() for case in row.within])
def test_within_its_constraint(operator: str, case: str) -> None:
    source = network(operator, ROWS[operator].within[case], (UINT8, INT8)[len(case) % 2])
    assert_fed_nodes_agree(source, batch=2)


@pytest.mark.parametrize(("operator", "case"), [(name, case) for name, row in ROWS.items() for case in row.beyond])
def test_beyond_it_its_rule_refuses(operator: str, case: str) -> None:
    build, sentence = ROWS[operator].beyond[case]
    with pytest.raises(UnsupportedError) as refusal:
        on_mla(network(operator, build))
    assert sentence in refusal.value.rule


@pytest.mark.parametrize("operator", ROWS)
def test_on_the_accelerator(operator: str, tmp_path: Path) -> None:
    model = Model.from_onnx(network(operator, next(iter(ROWS[operator].within.values()))), "net")
    archive = Archive.open(model.compile(str(tmp_path), machine="tiny").path)
    assert not model.graph.cut
    assert archive.report is not None
    assert {placement.processor for placement in archive.report.placements} == {"MLA"}
    assert len(archive.lm_files) == 1


@pytest.mark.parametrize("operator", NOT_LISTED)
def test_what_the_list_does_not_have_is_refused_by_name(operator: str) -> None:
    with pytest.raises(UnsupportedError, match="the operator is one that this compiler lowers"):
        on_mla(network(operator, NOT_LISTED[operator]))
