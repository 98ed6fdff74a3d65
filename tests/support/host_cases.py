"""Small host segments, one operator each: every host operator with its attributes, types, broadcasts and edge values.

The same cases are judged in numpy against onnxruntime, and in machine code against numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from sima_compiler.ir.host import Dtype, HostNode, HostSegment, HostTensor
from sima_compiler.ir.host_rules.use import Value
from sima_compiler.ir.verify_host import results

INF, NAN = np.float32(np.inf), np.float32(np.nan)
#: Zeros, infinities, the least and the largest numbers, halves between integers.
EDGES = np.array(
    [
        0,
        -0.0,
        INF,
        -INF,
        NAN,
        1e-45,
        -1e-45,
        1e-38,
        3e38,
        -3e38,
        0.5,
        1.5,
        2.5,
        -0.5,
        -1.5,
        1,
        -1,
        88.7,
        88.8,
        -87.4,
        -104,
    ],
    np.float32,
)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One node and what it is fed. ``undefined``: onnxruntime leaves the result of such values to chance."""

    name: str
    segment: HostSegment
    inputs: Mapping[str, np.ndarray]
    undefined: bool = False

    @property
    def op(self) -> str:
        return self.segment.nodes[0].op


def one(
    name: str,
    op: str,
    operands: Sequence[np.ndarray | None],
    *,
    constants: Sequence[int] = (),
    outputs: int = 1,
    undefined: bool = False,
    **attributes: Any,
) -> Case:
    """A segment of one node; operands at the places ``constants`` are constants of the segment, None is left out."""
    names = ["" if value is None else f"x{place}" for place, value in enumerate(operands)]
    arrays = {n: np.asarray(value) for n, value in zip(names, operands, strict=True) if value is not None}
    fixed = {f"x{place}": arrays[f"x{place}"] for place in constants}
    given = {n: array for n, array in arrays.items() if n not in fixed}
    node = HostNode(op, tuple(names), tuple(f"y{place}" for place in range(outputs)), attributes, name)
    values = {n: Value(a.shape, Dtype(a.dtype.name), fixed.get(n)) for n, a in arrays.items()}
    made = [HostTensor(n, v.shape, v.dtype) for n, v in zip(node.outputs, results(node, values), strict=True)]
    tensors = tuple(HostTensor(n, a.shape, Dtype(a.dtype.name)) for n, a in given.items())
    return Case(f"{op}: {name}", HostSegment(name, tensors, tuple(made), (node,), fixed), given, undefined)


class _Draw:
    """Seeded arrays."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def real(self, *shape: int, scale: float = 3.0) -> np.ndarray:
        return (self.random.standard_normal(shape) * scale).astype(np.float32)

    def whole(self, *shape: int, low: int = -9, high: int = 10, dtype: str = "int64") -> np.ndarray:
        return self.random.integers(low, high, shape).astype(dtype)

    def bools(self, *shape: int) -> np.ndarray:
        return self.random.integers(0, 2, shape).astype(np.bool_)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def scalar(value: float, dtype: str = "float32") -> np.ndarray:
    return np.array(value, dtype)


def _unary(draw: _Draw) -> Iterator[Case]:
    plain = (
        "Exp",
        "Tanh",
        "Sigmoid",
        "Erf",
        "Floor",
        "Ceil",
        "Round",
        "Reciprocal",
        "HardSwish",
        "Softplus",
        "Softsign",
    )
    for op in (*plain, "Mish", "Abs", "Neg", "Sign", "Relu", "HardSigmoid", "Elu", "Celu", "Selu", "LeakyRelu"):
        yield one("3x70", op, [draw.real(3, 70)])
        yield one("edges", op, [EDGES], undefined=True)
        yield one("empty", op, [draw.real(0, 4)])
        yield one("scalar", op, [draw.real()])
    for op in ("Log", "Sqrt"):
        yield one("5x33", op, [np.abs(draw.real(5, 33))])
        yield one("edges", op, [EDGES])
    yield one("edges", "IsNaN", [EDGES])
    for op in ("Elu", "Celu", "LeakyRelu", "ThresholdedRelu"):
        yield one("alpha", op, [draw.real(41)], alpha=0.7)
    yield one("alpha and beta", "HardSigmoid", [draw.real(41)], alpha=0.3, beta=0.4)
    yield one("alpha and gamma", "Selu", [draw.real(41)], alpha=1.5, gamma=0.9)
    for mode in ("none", "tanh"):
        yield one(mode, "Gelu", [draw.real(3, 41)], approximate=mode)
        yield one(f"{mode} edges", "Gelu", [EDGES], approximate=mode, undefined=True)
    yield one("7", "Not", [draw.bools(7)])
    for dtype in ("int32", "int64"):
        limits = np.iinfo(dtype)
        for op in ("Abs", "Neg", "Sign", "Relu"):
            if (op, dtype) != ("Relu", "int64"):
                yield one(dtype, op, [np.array([0, 1, -1, 7, limits.max, limits.min + 1], dtype)])


def _binary(draw: _Draw) -> Iterator[Case]:
    pairs = [
        ((3, 4, 5), (3, 4, 5)),
        ((3, 4, 5), (5,)),
        ((3, 1, 5), (4, 1)),
        ((1,), (2, 3)),
        ((), (6,)),
        ((0, 3), (1, 3)),
    ]
    for op in ("Add", "Sub", "Mul", "Div", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal", "Max", "Min"):
        for first, second in pairs:
            yield one(f"{first} {second}", op, [draw.real(*first), draw.real(*second)])
        a, b = np.meshgrid(EDGES, EDGES)
        yield one("edges", op, [a, b], undefined=op in ("Max", "Min"))
        for dtype in ("int32", "int64"):
            low = 1 if op == "Div" else -9
            yield one(dtype, op, [draw.whole(4, 6, dtype=dtype), draw.whole(6, low=low, dtype=dtype)])
    yield one("three", "Max", [draw.real(2, 3), draw.real(3), draw.real(2, 1)])
    yield one("one", "Min", [draw.real(2, 3)])
    yield one("three", "Sum", [draw.real(2, 3), draw.real(3), draw.real(2, 1)])
    yield one("three", "Mean", [draw.real(2, 3), draw.real(3), draw.real(2, 1)])
    yield one("wraps", "Add", [np.array([2**63 - 1, -(2**63)], np.int64), np.array([1, -1], np.int64)])
    yield one("wraps", "Mul", [np.array([2**31 - 1, -(2**31)], np.int32), np.array([2, 3], np.int32)])
    for dtype in ("uint8", "int8", "bool"):
        yield one(
            dtype, "Equal", [draw.whole(9, low=0, high=2, dtype=dtype), draw.whole(9, low=0, high=2, dtype=dtype)]
        )
    for op in ("And", "Or", "Xor"):
        yield one("2x5", op, [draw.bools(2, 5), draw.bools(5)])
    for dtype in ("int32", "int64"):
        yield one(
            dtype,
            "Mod",
            [
                draw.whole(50, dtype=dtype),
                draw.whole(50, low=1, dtype=dtype) * draw.whole(50, low=0, high=2, dtype=dtype).clip(0, 1) * -2 + 3,
            ],
            fmod=0,
        )
        yield one(f"{dtype} as C", "Mod", [draw.whole(50, dtype=dtype), draw.whole(50, low=1, dtype=dtype)], fmod=1)
    yield one("real", "Mod", [draw.real(60, scale=100), draw.real(60)], fmod=1)
    a, b = np.meshgrid(EDGES, EDGES)
    yield one("edges", "Mod", [a, b], fmod=1)
    yield one("real", "Pow", [np.abs(draw.real(60)), draw.real(60)])
    yield one("square", "Pow", [draw.real(4, 9), scalar(2)])
    yield one("whole", "Pow", [draw.real(60), draw.whole(60, low=-3, high=4, dtype="int32")])
    yield one("edges", "Pow", [a, b])
    yield one("channels", "PRelu", [draw.real(2, 3, 4), draw.real(3, 1)])
    yield one("2x1x3", "Where", [draw.bools(2, 1, 3), draw.real(4, 1), draw.real(1)])
    yield one("int64", "Where", [draw.bools(3), draw.whole(2, 3), draw.whole()])


def _clips(draw: _Draw) -> Iterator[Case]:
    yield one("both", "Clip", [draw.real(30), scalar(-1), scalar(2)])
    yield one("crossed", "Clip", [draw.real(30), scalar(1), scalar(-1)])
    yield one("above", "Clip", [draw.real(30), None, scalar(2)])
    yield one("below", "Clip", [draw.real(30), scalar(-1)])
    yield one("int64", "Clip", [draw.whole(30), scalar(-2, "int64"), scalar(2, "int64")])
    yield one(
        "uint8", "Clip", [draw.whole(30, low=0, high=255, dtype="uint8"), scalar(5, "uint8"), scalar(200, "uint8")]
    )
    yield one("edges", "Clip", [EDGES, scalar(-1), scalar(2)], undefined=True)


def _casts(draw: _Draw) -> Iterator[Case]:
    numbers = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "bool": 9}
    for source in numbers:
        for target, number in numbers.items():
            low, high = (0, 2) if source == "bool" else (0, 100)
            yield one(f"{source} to {target}", "Cast", [draw.whole(40, low=low, high=high, dtype=source)], to=number)
    for target in ("uint8", "int8", "int32", "int64"):
        yield one(f"edges to {target}", "Cast", [EDGES], to=numbers[target], undefined=True)
        yield one(f"fractions to {target}", "Cast", [np.abs(draw.real(40))], to=numbers[target])
        yield one(
            f"int64 wraps to {target}",
            "Cast",
            [np.array([2**40 + 300, -(2**33) - 5, 2**63 - 1], np.int64)],
            to=numbers[target],
        )
    yield one("large int64 to real", "Cast", [np.array([2**53 + 1, 2**24 + 1, -(2**62) - 12345], np.int64)], to=1)
    yield one("edges to bool", "Cast", [EDGES], to=9)
    for dtype in ("uint8", "int8"):
        zero = np.array(3, dtype)
        yield one(dtype, "QuantizeLinear", [draw.real(2, 40, scale=90), scalar(0.7), zero])
        yield one(f"{dtype} ties", "QuantizeLinear", [np.arange(-20, 20).astype(np.float32) / 2, scalar(1), zero])
        yield one(
            f"{dtype} channels",
            "QuantizeLinear",
            [draw.real(2, 3, 5), np.array([0.1, 0.2, 0.3], np.float32), np.array([0, 1, 2], dtype)],
            axis=1,
        )
        yield one(dtype, "DequantizeLinear", [draw.whole(2, 40, low=0, high=127, dtype=dtype), scalar(0.7), zero])
        yield one(
            f"{dtype} channels",
            "DequantizeLinear",
            [
                draw.whole(2, 3, 5, low=0, high=127, dtype=dtype),
                np.array([0.1, 0.2, 0.3], np.float32),
                np.array([0, 1, 2], dtype),
            ],
            axis=1,
        )


def _views(draw: _Draw) -> Iterator[Case]:
    x = draw.real(2, 3, 4)
    yield one("x", "Identity", [x])
    yield one("-1 and 0", "Reshape", [x, ints(0, -1)], constants=[1])
    yield one("scalar", "Reshape", [draw.real(1), np.zeros(0, np.int64)], constants=[1])
    yield one("allowzero", "Reshape", [draw.real(0, 3), ints(3, 0)], constants=[1], allowzero=1)
    yield one("axis 2", "Flatten", [x], axis=2)
    yield one("axis -1", "Flatten", [x], axis=-1)
    yield one("all", "Squeeze", [draw.real(1, 3, 1)])
    yield one("one", "Squeeze", [draw.real(1, 3, 1), ints(-1)], constants=[1])
    yield one("two", "Unsqueeze", [x, ints(0, -1)], constants=[1])


def _moves(draw: _Draw) -> Iterator[Case]:
    x = draw.real(2, 3, 4, 5)
    yield one("reversed", "Transpose", [x])
    for order in ((0, 2, 3, 1), (0, 3, 1, 2), (3, 0, 2, 1), (1, 0, 2, 3)):
        yield one(str(order), "Transpose", [x], perm=order)
    yield one("int64", "Transpose", [draw.whole(3, 4)])
    yield one("uint8", "Transpose", [draw.whole(3, 4, low=0, dtype="uint8")])
    yield one("axis 1", "Concat", [draw.real(2, 3, 4), draw.real(2, 1, 4), draw.real(2, 0, 4)], axis=1)
    yield one("axis -1 bool", "Concat", [draw.bools(2, 3), draw.bools(2, 2)], axis=-1)
    yield one("one", "Concat", [x], axis=0)
    yield one("plain", "Slice", [x, ints(1), ints(3)], constants=[1, 2])
    yield one("axes", "Slice", [x, ints(1, 0), ints(2, 99), ints(1, 3), ints(1, 2)], constants=[1, 2, 3, 4])
    yield one("backwards", "Slice", [x, ints(-1, 4), ints(-100, 0), ints(2, 3), ints(-1, -2)], constants=[1, 2, 3, 4])
    yield one("nothing", "Slice", [x, ints(3), ints(1), ints(2)], constants=[1, 2, 3])
    yield one(
        "int32 indices",
        "Slice",
        [x, np.array([1], np.int32), np.array([9], np.int32), np.array([-1], np.int32)],
        constants=[1, 2, 3],
    )
    yield one("equal", "Split", [x], outputs=2, axis=2, num_outputs=2)
    yield one("last smaller", "Split", [x], outputs=2, axis=3, num_outputs=2)
    yield one("sizes", "Split", [x, ints(1, 0, 4)], constants=[1], outputs=3, axis=-1)
    yield one("both ways", "Expand", [draw.real(3, 1), ints(2, 1, 4)], constants=[1])
    yield one("scalar", "Expand", [draw.real(), ints(2, 2)], constants=[1])
    yield one("2x1x3", "Tile", [draw.real(2, 3), ints(2, 3)], constants=[1])
    yield one("none", "Tile", [draw.real(2, 3), ints(0, 3)], constants=[1])
    for mode in ("constant", "edge", "reflect", "wrap"):
        yield one(mode, "Pad", [x, ints(0, 1, 2, 0, 0, 2, 1, 3)], constants=[1], mode=mode)
    yield one("fill", "Pad", [x, ints(0, 1, 2, 0, 0, 2, 1, 3), scalar(7)], constants=[1])
    yield one("cut", "Pad", [x, ints(0, 0, -1, 0, 0, 0, 1, -2), scalar(7)], constants=[1])
    yield one("axes", "Pad", [draw.whole(3, 4), ints(1, 2), scalar(5, "int64"), ints(-1)], constants=[1, 3])
    deep = draw.real(2, 12, 2, 3)
    for mode in ("DCR", "CRD"):
        yield one(mode, "DepthToSpace", [deep], blocksize=2, mode=mode)
    yield one("2", "SpaceToDepth", [draw.real(2, 3, 4, 6)], blocksize=2)
    for upper in (0, 1):
        yield one(f"upper {upper}", "Trilu", [draw.real(2, 4, 5)], upper=upper)
        yield one(f"upper {upper} by -1", "Trilu", [draw.real(4, 5), scalar(-1, "int64")], constants=[1], upper=upper)


def _resizes(draw: _Draw) -> Iterator[Case]:
    x = draw.real(1, 2, 4, 5)
    for mode in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
        for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
            for sizes in ((1, 2, 8, 10), (1, 2, 3, 7), (1, 2, 1, 2)):
                yield one(
                    f"{mode} {rounding} {sizes}",
                    "Resize",
                    [x, None, None, ints(*sizes)],
                    constants=[3],
                    mode="nearest",
                    coordinate_transformation_mode=mode,
                    nearest_mode=rounding,
                )
        for sizes in ((1, 2, 8, 10), (1, 2, 3, 7), (1, 2, 4, 9)):
            more = {"mode": "linear", "coordinate_transformation_mode": mode}
            yield one(f"linear {mode} {sizes}", "Resize", [x, None, None, ints(*sizes)], constants=[3], **more)
    yield one(
        "three axes",
        "Resize",
        [draw.real(1, 2, 3, 4, 3), None, None, ints(1, 2, 5, 6, 7)],
        constants=[3],
        mode="linear",
    )
    yield one("scales", "Resize", [x, None, np.array([1, 1, 2, 1.7], np.float32)], constants=[2], mode="nearest")


def _indices(draw: _Draw) -> Iterator[Case]:
    x = draw.real(3, 4, 5)
    for axis in (0, 1, -1):
        yield one(f"axis {axis}", "Gather", [x, draw.whole(2, 3, low=-3, high=3)], axis=axis)
    yield one("scalar", "Gather", [x, scalar(1, "int64")], axis=1)
    yield one("int32 constant", "Gather", [draw.whole(6), draw.whole(3, low=0, high=5, dtype="int32")], constants=[1])
    yield one("axis 1", "GatherElements", [x, draw.whole(2, 6, 5, low=-4, high=4)], axis=1)
    yield one("axis -1", "GatherElements", [x, draw.whole(3, 4, 2, low=0, high=5)], axis=-1)
    yield one("rows", "GatherND", [x, draw.whole(6, 2, low=-3, high=3)])
    yield one("points", "GatherND", [x, draw.whole(2, 2, 3, low=0, high=3)])
    yield one("batch", "GatherND", [x, draw.whole(3, 2, 1, low=0, high=4)], batch_dims=1)
    yield one("rows", "ScatterND", [x, ints(0, 1, 2, 3, 1, 0).reshape(3, 2), draw.real(3, 5)])
    yield one("negative", "ScatterND", [x, ints(-1, 0).reshape(2, 1), draw.real(2, 4, 5)])
    yield one("axis 0", "ScatterElements", [x, np.argsort(draw.real(3, 2, 5), 0).astype(np.int64), draw.real(3, 2, 5)])
    yield one(
        "axis -1", "ScatterElements", [draw.whole(2, 6), ints(0, -1, 2, 3).reshape(2, 2), draw.whole(2, 2)], axis=-1
    )
    yield one(
        "axis -1",
        "OneHot",
        [draw.whole(2, 3, low=-6, high=7), scalar(5, "int64"), np.array([0.5, 3], np.float32)],
        constants=[1],
    )
    yield one(
        "axis 1",
        "OneHot",
        [draw.whole(2, 3, low=0, high=4), ints(4), ints(-1, 1)],
        constants=[1],
        axis=1,
    )


def _reductions(draw: _Draw) -> Iterator[Case]:
    x = draw.real(3, 4, 5, 2)
    for op in (
        "ReduceSum",
        "ReduceMean",
        "ReduceMax",
        "ReduceMin",
        "ReduceL1",
        "ReduceL2",
        "ReduceSumSquare",
        "ReduceLogSumExp",
        "ReduceProd",
    ):
        for axes in ((1,), (0, -1), (1, 2), (2, 3)):
            yield one(f"{axes}", op, [x / 2, ints(*axes)], constants=[1])
        yield one("all", op, [x / 2], keepdims=0)
        yield one("none", op, [x / 2, np.zeros(0, np.int64)], constants=[1], noop_with_empty_axes=1)
        yield one("edges", op, [EDGES.reshape(3, 7), ints(1)], constants=[1], undefined=True)
    yield one("axis 1", "ReduceLogSum", [np.abs(x), ints(1)], constants=[1], keepdims=0)
    yield one("empty", "ReduceSum", [draw.real(2, 0, 3), ints(1)], constants=[1])
    for op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"):
        for dtype in ("int32", "int64"):
            yield one(dtype, op, [draw.whole(4, 5, dtype=dtype), ints(0)], constants=[1])
    for op in ("ArgMax", "ArgMin"):
        for axis in (0, 1, -1):
            yield one(f"axis {axis} with ties", op, [draw.whole(4, 7, 5, low=0, high=4).astype(np.float32)], axis=axis)
        yield one(
            "last", op, [draw.whole(4, 9, low=0, high=3).astype(np.float32)], axis=1, select_last_index=1, keepdims=0
        )
        yield one("int32", op, [draw.whole(4, 9, dtype="int32")], axis=1)
        yield one("uint8", op, [draw.whole(4, 9, low=0, dtype="uint8")], axis=1)
    for axis in (0, 1):
        for exclusive in (0, 1):
            for reverse in (0, 1):
                yield one(
                    f"{axis} {exclusive} {reverse}",
                    "CumSum",
                    [draw.real(4, 6), scalar(axis, "int64")],
                    constants=[1],
                    exclusive=exclusive,
                    reverse=reverse,
                )
    yield one("int64", "CumSum", [draw.whole(4, 6), scalar(-1, "int32")], constants=[1])


def _norms(draw: _Draw) -> Iterator[Case]:
    x = draw.real(2, 5, 7)
    for op in ("Softmax", "LogSoftmax"):
        for axis in (0, 1, -1):
            yield one(f"axis {axis}", op, [x], axis=axis)
        yield one("1000", op, [draw.real(2, 1000, scale=20)])
        yield one("far apart", op, [np.array([[100, -100, 88, 0], [-INF, 0, 1, 2], [3e38, -3e38, 0, 1]], np.float32)])
    for p in (1, 2):
        yield one(f"p {p}", "LpNormalization", [x], axis=1, p=p)
    yield one("last", "LayerNormalization", [x, draw.real(7), draw.real(7)])
    yield one("two axes", "LayerNormalization", [x + 50, draw.real(5, 7)], axis=1, epsilon=1e-3)
    yield one("last", "RMSNormalization", [x, draw.real(7)])
    yield one("two axes", "RMSNormalization", [x, draw.real(5, 7)], axis=-2)
    yield one("3 channels", "InstanceNormalization", [draw.real(2, 3, 4, 5) + 9, draw.real(3), draw.real(3)])
    yield one(
        "3 channels",
        "BatchNormalization",
        [draw.real(2, 3, 4, 5), draw.real(3), draw.real(3), draw.real(3), np.abs(draw.real(3))],
    )


def _selections(draw: _Draw) -> Iterator[Case]:
    for largest in (0, 1):
        for axis in (0, -1):
            x = draw.whole(9, 12, low=-4, high=4).astype(np.float32)
            yield one(
                f"ties {largest} {axis}", "TopK", [x, ints(5)], constants=[1], outputs=2, axis=axis, largest=largest
            )
    yield one("all", "TopK", [draw.real(3, 40), ints(40)], constants=[1], outputs=2)
    yield one("int64", "TopK", [draw.whole(3, 40), ints(7)], constants=[1], outputs=2)
    yield one("none", "TopK", [draw.real(3, 4), ints(0)], constants=[1], outputs=2)
    corner = draw.random.uniform(0, 1, (2, 30, 2))
    boxes = np.concatenate([corner, corner + draw.random.uniform(0.05, 0.5, (2, 30, 2))], -1).astype(np.float32)
    scores = draw.random.uniform(0, 1, (2, 3, 30)).astype(np.float32).round(1)
    for centred in (0, 1):
        for most, overlap, least in ((5, 0.3, 0.2), (30, 0.5, 0.5), (2, 0.0, 0.0)):
            yield one(
                f"{centred} {most} {overlap}",
                "NonMaxSuppression",
                [boxes, scores, ints(most), scalar(overlap), scalar(least)],
                constants=[2, 3, 4],
                center_point_box=centred,
            )
    yield one("no thresholds", "NonMaxSuppression", [boxes, scores, ints(4)], constants=[2])
    yield one(
        "flipped",
        "NonMaxSuppression",
        [boxes[..., ::-1].copy(), scores, ints(9), np.array([0.4], np.float32)],
        constants=[2, 3],
    )


def _products(draw: _Draw) -> Iterator[Case]:
    for first, second in (
        ((3, 4), (4, 5)),
        ((2, 3, 4), (4, 5)),
        ((2, 1, 3, 4), (3, 4, 5)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((4,), (4,)),
        ((3, 0), (0, 2)),
        ((2, 90), (90, 130)),
    ):
        yield one(f"{first} {second}", "MatMul", [draw.real(*first), draw.real(*second)])
    yield one("plain", "Gemm", [draw.real(3, 4), draw.real(4, 5)])
    yield one(
        "both turned", "Gemm", [draw.real(4, 3), draw.real(5, 4), draw.real(5)], transA=1, transB=1, alpha=0.5, beta=2.0
    )
    yield one("column added", "Gemm", [draw.real(3, 4), draw.real(4, 5), draw.real(3, 1)])
    yield one("1-D", "Conv", [draw.real(2, 3, 20), draw.real(4, 3, 3), draw.real(4)], pads=(1, 1))
    yield one(
        "1-D strided and dilated",
        "Conv",
        [draw.real(2, 3, 150), draw.real(4, 3, 3)],
        pads=(2, 0),
        strides=(2,),
        dilations=(3,),
    )
    yield one(
        "1-D depthwise", "Conv", [draw.real(1, 4, 9), draw.real(4, 1, 5), draw.real(4)], group=4, auto_pad="SAME_UPPER"
    )
    yield one(
        "2-D groups", "Conv", [draw.real(2, 4, 7, 9), draw.real(6, 2, 3, 2)], group=2, pads=(1, 0, 2, 1), strides=(2, 3)
    )
    yield one("2-D lower", "Conv", [draw.real(1, 2, 6, 7), draw.real(3, 2, 2, 4)], auto_pad="SAME_LOWER")
    yield one("3-D", "Conv", [draw.real(1, 2, 4, 5, 6), draw.real(3, 2, 2, 3, 2)], dilations=(1, 1, 2))
    yield one("2-D", "ConvTranspose", [draw.real(2, 4, 3, 5), draw.real(4, 3, 2, 2), draw.real(3)], strides=(2, 2))
    yield one(
        "groups, pads and more",
        "ConvTranspose",
        [draw.real(2, 4, 5, 4), draw.real(4, 2, 3, 2)],
        group=2,
        strides=(2, 3),
        pads=(1, 0, 1, 1),
        output_padding=(1, 2),
        dilations=(2, 1),
    )
    yield one("1-D", "ConvTranspose", [draw.real(1, 3, 7), draw.real(3, 2, 4), draw.real(2)], strides=(3,), pads=(2, 1))
    x = draw.real(2, 3, 7, 8)
    for op in ("MaxPool", "AveragePool"):
        yield one("plain", op, [x], kernel_shape=(2, 3), strides=(2, 1))
        yield one("pads", op, [x], kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 0, 2))
        yield one("ceil", op, [x], kernel_shape=(3, 3), strides=(2, 2), ceil_mode=1)
        yield one("ceil with pads", op, [x], kernel_shape=(3, 2), strides=(3, 3), pads=(1, 1, 1, 1), ceil_mode=1)
        yield one("dilated", op, [x], kernel_shape=(2, 2), dilations=(2, 3))
        yield one("1-D", op, [draw.real(2, 3, 9)], kernel_shape=(4,), auto_pad="SAME_UPPER")
        yield one("places", f"Global{op}", [x])
    yield one(
        "with pads", "AveragePool", [x], kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1), count_include_pad=1
    )
    yield one(
        "with pads and ceil",
        "AveragePool",
        [x],
        kernel_shape=(3, 3),
        strides=(2, 2),
        pads=(1, 1, 1, 1),
        count_include_pad=1,
        ceil_mode=1,
    )


def _typed(draw: _Draw) -> Iterator[Case]:
    """Every type that an operator takes."""
    for dtype in ("float32", "int64", "int32", "bool", "uint8", "int8"):
        x = draw.whole(3, 4, low=0, high=2 if dtype == "bool" else 9, dtype=dtype)
        if dtype != "bool":
            yield one(dtype, "Where", [draw.bools(4), x, x[::-1].copy()])
        yield one(dtype, "Equal", [x, x[::-1].copy()])
        yield one(f"{dtype} moved", "Transpose", [x])
        yield one(f"{dtype} joined", "Concat", [x, x], axis=1)
        yield one(f"{dtype} cut", "Slice", [x, ints(1), ints(3)], constants=[1, 2])
        yield one(f"{dtype} split", "Split", [x], outputs=2, axis=1, num_outputs=2)
        yield one(f"{dtype} spread", "Expand", [x, ints(2, 3, 4)], constants=[1])
        yield one(f"{dtype} tiled", "Tile", [x, ints(2, 1)], constants=[1])
        yield one(f"{dtype} padded", "Pad", [x, ints(1, 1, 1, 1)], constants=[1])
        if dtype not in ("int64", "bool"):
            yield one(
                f"{dtype} resized", "Resize", [x.reshape(1, 1, 3, 4), None, None, ints(1, 1, 6, 8)], constants=[3]
            )
        if dtype not in ("uint8", "int8"):
            yield one(f"{dtype} triangle", "Trilu", [x])
        if dtype in ("float32", "uint8", "int8"):
            yield one(f"{dtype} depth", "DepthToSpace", [x.reshape(1, 4, 1, 3)], blocksize=2)
        if dtype in ("float32", "uint8", "int8"):
            yield one(f"{dtype} space", "SpaceToDepth", [x.reshape(1, 1, 2, 6)], blocksize=2)
        yield one(dtype, "Gather", [x, ints(2, 0)])
        yield one(dtype, "GatherElements", [x, draw.whole(2, 4, low=0, high=3)])
        yield one(dtype, "GatherND", [x, draw.whole(2, 2, low=0, high=3)])
        yield one(dtype, "ScatterND", [x, ints(1).reshape(1, 1), x[:1]])
        yield one(dtype, "ScatterElements", [x, ints(1, 0, 2, 1).reshape(1, 4), x[:1]])
        values = draw.whole(2, low=0, high=2, dtype=dtype)
        for kind in {"float32": ("int64", "int32", "float32"), "int64": ("int64",)}.get(dtype, ()):
            yield one(
                f"{dtype} by {kind}",
                "OneHot",
                [draw.whole(3, low=0, high=4, dtype=kind), scalar(4, kind), values],
                constants=[1],
            )
        for op in ("Reshape",):
            yield one(dtype, op, [x, ints(12)], constants=[1])


def _typed_numbers(draw: _Draw) -> Iterator[Case]:
    """The same of operators that take numbers alone."""
    for dtype in ("float32", "int64", "int32", "uint8", "int8"):
        x = draw.whole(3, 4, low=0, high=9, dtype=dtype)
        yield one(dtype, "Clip", [x, scalar(2, dtype), scalar(5, dtype)])
        for op in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
            yield one(dtype, op, [x, x[::-1].copy()])
        yield one(f"{dtype} typed", "TopK", [x, ints(2)], constants=[1], outputs=2)
        for op in ("ReduceMax", "ReduceMin"):
            yield one(f"{dtype} typed", op, [x, ints(1)], constants=[1])
        for op in ("ArgMax", "ArgMin"):
            yield one(f"{dtype} typed", op, [x], axis=1)
        if dtype in ("float32", "int32", "int64"):
            yield one(f"{dtype} typed", "ReduceSum", [x, ints(1)], constants=[1])
            yield one(f"{dtype} typed", "ReduceProd", [x, ints(1)], constants=[1])
            yield one(f"{dtype} typed", "CumSum", [x, scalar(1, "int64")], constants=[1])
            yield one(f"{dtype} typed", "Mod", [x, x + np.ones((), dtype)], fmod=1)
            yield one(f"{dtype} typed", "Pow", [draw.real(3, 4), x])


def _recurrent(draw: _Draw) -> Iterator[Case]:
    steps, batch, width, hidden = 5, 3, 4, 6
    for op, gates in (("LSTM", 4), ("GRU", 3)):
        for direction in ("forward", "reverse", "bidirectional"):
            count = 2 if direction == "bidirectional" else 1
            x = draw.real(steps, batch, width, scale=1)
            weights = [draw.real(count, gates * hidden, size, scale=0.5) for size in (width, hidden)]
            bias = draw.real(count, 2 * gates * hidden, scale=0.5)
            states = [draw.real(count, batch, hidden, scale=0.5) for _ in range(2 if gates == 4 else 1)]
            more = {"hidden_size": hidden, "direction": direction}
            outputs = 3 if gates == 4 else 2
            yield one(f"{direction} plain", op, [x, *weights], constants=[1, 2], outputs=outputs, **more)
            lengths = np.array([5, 2, 3], np.int32)
            yield one(
                f"{direction} all",
                op,
                [x, *weights, bias, lengths, *states],
                constants=[1, 2, 3, 4],
                outputs=outputs,
                **more,
            )
            if op == "GRU":
                yield one(
                    f"{direction} linear",
                    op,
                    [x, *weights, bias],
                    constants=[1, 2, 3],
                    outputs=outputs,
                    linear_before_reset=1,
                    **more,
                )
            else:
                holes = draw.real(count, 3 * hidden, scale=0.5)
                yield one(
                    f"{direction} peepholes",
                    op,
                    [x, *weights, bias, None, *states, holes],
                    constants=[1, 2, 3, 7],
                    outputs=outputs,
                    **more,
                )


def joined(cases: Sequence[Case]) -> tuple[HostSegment, dict[str, np.ndarray]]:
    """All cases as one segment of independent nodes, and what it is fed: one build and one run for all of them."""
    parts = [_renamed(case, f"{number}/") for number, case in enumerate(cases)]
    segment = HostSegment(
        name="cases",
        inputs=tuple(tensor for part in parts for tensor in part.segment.inputs),
        outputs=tuple(tensor for part in parts for tensor in part.segment.outputs),
        nodes=tuple(node for part in parts for node in part.segment.nodes),
        constants={name: value for part in parts for name, value in part.segment.constants.items()},
    )
    return segment, {name: value for part in parts for name, value in part.inputs.items()}


def _renamed(case: Case, prefix: str) -> Case:
    """The case with every name behind a prefix."""

    def named(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(prefix + name if name else "" for name in names)

    segment = case.segment
    nodes = [replace(n, inputs=named(n.inputs), outputs=named(n.outputs), source=case.name) for n in segment.nodes]
    changed = HostSegment(
        name=segment.name,
        inputs=tuple(replace(tensor, name=prefix + tensor.name) for tensor in segment.inputs),
        outputs=tuple(replace(tensor, name=prefix + tensor.name) for tensor in segment.outputs),
        nodes=tuple(nodes),
        constants={prefix + name: value for name, value in segment.constants.items()},
    )
    return Case(case.name, changed, {prefix + name: value for name, value in case.inputs.items()}, case.undefined)


@cache
def all_cases() -> tuple[Case, ...]:
    """Every case, always the same."""
    rooms = (
        _unary,
        _binary,
        _clips,
        _casts,
        _views,
        _moves,
        _resizes,
        _indices,
        _reductions,
        _norms,
        _selections,
        _products,
        _recurrent,
        _typed,
        _typed_numbers,
    )
    return tuple(case for seed, room in enumerate(rooms) for case in room(_Draw(seed)))
