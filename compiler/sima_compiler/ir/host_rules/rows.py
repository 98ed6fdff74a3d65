"""Rules of the operators that look at several values at once: reductions, orders, normalizations.

In: a `Use`. Out: shape and type of every result.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from sima_compiler.ir.host import Dtype
from sima_compiler.ir.host_rules.use import BYTES, FLOATS, INDICES, INTEGERS, NUMBERS, Infer, Use, Value

#: Reductions that have a value for no values at all.
_WITH_EMPTY = ("ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceProd")


def _reduction(op: str) -> Infer:
    dtypes = {"ReduceMax": NUMBERS | BYTES, "ReduceMin": NUMBERS | BYTES, "ReduceSum": NUMBERS, "ReduceProd": NUMBERS}

    def infer(use: Use) -> tuple[Value, ...]:
        use.arity(1, 2)
        use.knows("keepdims", "noop_with_empty_axes")
        value = use.value(0, dtypes.get(op, FLOATS))
        axes, shape = reduced_axes(use), value.shape
        is_empty = 0 in (shape[axis] for axis in axes)
        use.require(not is_empty or op in _WITH_EMPTY, f"of no values there is no {op}: {shape} along {axes}")
        return (Value(_reduced(shape, axes, bool(use.integer("keepdims", 1))), value.dtype),)

    return infer


def reduced_axes(use: Use) -> tuple[int, ...]:
    """The axes of a reduction, ascending."""
    rank, named = use.value(0).rank, use.integers(1)
    if not named:
        return () if use.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    return use.axes(named, rank)


def _reduced(shape: tuple[int, ...], axes: tuple[int, ...], keeps: bool) -> tuple[int, ...]:
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape) if keeps or axis not in axes)


def _place(use: Use) -> tuple[Value, ...]:
    use.arity(1)
    use.knows("axis", "keepdims", "select_last_index")
    value = use.value(0, NUMBERS | BYTES)
    axis = use.axis(use.integer("axis", 0), value.rank)
    use.require(value.shape[axis] > 0, f"no largest of no values: {value.shape} along axis {axis}")
    return (Value(_reduced(value.shape, (axis,), bool(use.integer("keepdims", 1))), Dtype.INT64),)


def _cumulative(use: Use) -> tuple[Value, ...]:
    use.arity(2)
    use.knows("exclusive", "reverse")
    value, axis = use.value(0, NUMBERS), use.constant(1)
    use.require(axis.size == 1, f"axes {axis.tolist()}, where one is taken")
    use.axis(int(axis.reshape(-1)[0]), value.rank)
    return (Value(value.shape, value.dtype),)


def _along(use: Use) -> tuple[Value, ...]:
    """Softmax and its like: rows along one axis."""
    use.arity(1)
    use.knows("axis")
    value = use.value(0, FLOATS)
    use.axis(use.integer("axis", -1), value.rank)
    return (Value(value.shape, Dtype.FLOAT32),)


def _lp_norm(use: Use) -> tuple[Value, ...]:
    use.arity(1)
    use.knows("axis", "p")
    value = use.value(0, FLOATS)
    use.axis(use.integer("axis", -1), value.rank)
    use.require(use.integer("p", 2) in (1, 2), f"p={use.integer('p', 2)}, where 1 or 2 is taken")
    return (Value(value.shape, Dtype.FLOAT32),)


def _trailing_norm(use: Use) -> tuple[Value, ...]:
    """LayerNormalization and RMSNormalization: rows of all axes from one on."""
    use.arity(2, 3 if use.node.op == "LayerNormalization" else 2)
    use.knows("axis", "epsilon", "stash_type")
    use.number("epsilon", 1e-5)
    use.require(use.integer("stash_type", 1) == 1, "stash_type other than 1 is not taken")
    value = use.value(0, FLOATS)
    rows = value.shape[use.axis(use.integer("axis", -1), value.rank) :]
    use.require(prod(rows) > 0, f"rows of {rows} hold no values")
    for index in (1, 2):
        if use.has(index):
            shape = use.value(index, FLOATS).shape
            use.require(use.broadcast((rows, shape)) == rows, f"operand {index} of {shape} for rows of {rows}")
    return (Value(value.shape, Dtype.FLOAT32),)


def _channel_norm(use: Use) -> tuple[Value, ...]:
    """InstanceNormalization: rows of one channel of one sample."""
    use.arity(3)
    use.knows("epsilon")
    use.number("epsilon", 1e-5)
    value = use.value(0, FLOATS)
    use.require(
        value.rank >= 3 and prod(value.shape[2:]) > 0, f"{value.shape}, where batch, channels and places are taken"
    )
    for index in (1, 2):
        shape = use.value(index, FLOATS).shape
        use.require(shape == (value.shape[1],), f"operand {index} of {shape} for {value.shape[1]} channels")
    return (Value(value.shape, Dtype.FLOAT32),)


def _batch_norm(use: Use) -> tuple[Value, ...]:
    use.arity(5)
    use.knows("epsilon", "momentum", "training_mode")
    use.number("epsilon", 1e-5)
    use.require(use.integer("training_mode", 0) == 0, "training_mode=1 is not taken")
    value = use.value(0, FLOATS)
    use.require(value.rank >= 2, f"{value.shape} has no channels")
    for index in range(1, 5):
        shape = use.value(index, FLOATS).shape
        use.require(shape == (value.shape[1],), f"operand {index} of {shape} for {value.shape[1]} channels")
    return (Value(value.shape, Dtype.FLOAT32),)


def _top(use: Use) -> tuple[Value, ...]:
    use.arity(2, outputs=2)
    use.knows("axis", "largest", "sorted")
    value, count = use.value(0, NUMBERS | BYTES), use.constant(1)
    axis = use.axis(use.integer("axis", -1), value.rank)
    use.require(count.size == 1, f"k is {count.tolist()}, where one number is taken")
    length = int(count.reshape(-1)[0])
    use.require(0 <= length <= value.shape[axis], f"{length} of an axis of {value.shape[axis]}")
    shape = (*value.shape[:axis], length, *value.shape[axis + 1 :])
    return (Value(shape, value.dtype), Value(shape, Dtype.INT64))


def most_boxes(use: Use) -> int:
    """Rows of NonMaxSuppression's result: what it can select at most, of all classes of all samples."""
    boxes, scores = use.value(0, FLOATS), use.value(1, FLOATS)
    limit = int(use.constant(2, INTEGERS).reshape(-1)[0]) if use.has(2) else 0
    return scores.shape[0] * scores.shape[1] * min(max(limit, 0), boxes.shape[1])


def _suppression(use: Use) -> tuple[Value, ...]:
    use.arity(2, 5)
    use.knows("center_point_box")
    use.require(use.integer("center_point_box", 0) in (0, 1), "center_point_box is neither 0 nor 1")
    boxes, scores = use.value(0, FLOATS), use.value(1, FLOATS)
    fits = boxes.rank == scores.rank == 3 and boxes.shape[2] == 4
    use.require(fits, f"boxes {boxes.shape} and scores {scores.shape}, where (N, B, 4) and (N, C, B) are taken")
    fits = boxes.shape[0] == scores.shape[0] and boxes.shape[1] == scores.shape[2]
    use.require(fits, f"boxes {boxes.shape} and scores {scores.shape} differ in samples or boxes")
    for index in (3, 4):
        if use.has(index):
            use.constant(index, FLOATS)
    return (Value((most_boxes(use), 3), Dtype.INT64),)


def _one_hot(use: Use) -> tuple[Value, ...]:
    use.arity(3)
    use.knows("axis")
    indices = use.value(0, INDICES | FLOATS)
    depth = use.constant(1, {indices.dtype})
    # What onnxruntime has kernels for.
    values = use.value(2, FLOATS | ({Dtype.INT64} if indices.dtype is Dtype.INT64 else set[Dtype]()))
    use.require(
        depth.size == 1 and float(depth.reshape(-1)[0]) > 0, f"depth {depth.tolist()}, where one number is taken"
    )
    use.require(values.shape == (2,), f"values of the shape {values.shape}, where two are taken")
    axis = use.axis(use.integer("axis", -1), indices.rank + 1)
    shape = (*indices.shape[:axis], int(depth.reshape(-1)[0]), *indices.shape[axis:])
    return (Value(shape, values.dtype),)


_REDUCTIONS = (
    *("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"),
    *("ReduceLogSum", "ReduceLogSumExp"),
)

RULES: Mapping[str, Infer] = {
    **{op: _reduction(op) for op in _REDUCTIONS},
    "ArgMax": _place,
    "ArgMin": _place,
    "CumSum": _cumulative,
    "Softmax": _along,
    "LogSoftmax": _along,
    "LpNormalization": _lp_norm,
    "LayerNormalization": _trailing_norm,
    "RMSNormalization": _trailing_norm,
    "InstanceNormalization": _channel_norm,
    "BatchNormalization": _batch_norm,
    "TopK": _top,
    "NonMaxSuppression": _suppression,
    "OneHot": _one_hot,
}
