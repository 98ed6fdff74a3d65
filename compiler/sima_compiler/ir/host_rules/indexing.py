"""Rules of the operators that read or write where indices say.

In: a `Use`. Out: shape and type of the result. Indices count from the back where they are negative; one outside of its
axis reads the nearest place, since a kernel on the host has nobody to tell (onnxruntime raises an error there).
"""

from __future__ import annotations

from collections.abc import Mapping

from sima_compiler.ir.host_rules.use import INDICES, Infer, Use, Value


def _gather(use: Use) -> tuple[Value, ...]:
    use.arity(2)
    use.knows("axis")
    value, indices = use.value(0), use.value(1, INDICES)
    axis = use.axis(use.integer("axis", 0), value.rank)
    _not_empty(use, value.shape[axis], indices)
    return (Value((*value.shape[:axis], *indices.shape, *value.shape[axis + 1 :]), value.dtype),)


def _not_empty(use: Use, size: int, indices: Value) -> None:
    use.require(size > 0 or 0 in indices.shape, "indices into an axis that holds nothing")


def _gather_elements(use: Use) -> tuple[Value, ...]:
    use.arity(2)
    use.knows("axis")
    value, indices = use.value(0), use.value(1, INDICES)
    axis = use.axis(use.integer("axis", 0), value.rank)
    _not_empty(use, value.shape[axis], indices)
    _within(use, value, indices, axis)
    return (Value(indices.shape, value.dtype),)


def _within(use: Use, value: Value, indices: Value, axis: int) -> None:
    fits = value.rank == indices.rank and all(
        place == axis or one <= other
        for place, (one, other) in enumerate(zip(indices.shape, value.shape, strict=False))
    )
    use.require(fits, f"indices of {indices.shape} for values of {value.shape} along axis {axis}")


def _gather_nd(use: Use) -> tuple[Value, ...]:
    use.arity(2)
    use.knows("batch_dims")
    value, indices = use.value(0), use.value(1, INDICES)
    shared = use.integer("batch_dims", 0)
    use.require(
        0 <= shared < min(value.rank, indices.rank), f"batch_dims={shared} of {value.shape} and {indices.shape}"
    )
    use.require(
        value.shape[:shared] == indices.shape[:shared], f"{value.shape} and {indices.shape} share no {shared} axes"
    )
    depth = indices.shape[-1]
    use.require(1 <= depth <= value.rank - shared, f"indices of {depth} axes into {value.shape}")
    for size in value.shape[shared : shared + depth]:
        _not_empty(use, size, indices)
    return (Value((*indices.shape[:-1], *value.shape[shared + depth :]), value.dtype),)


def _scatter_nd(use: Use) -> tuple[Value, ...]:
    use.arity(3)
    use.knows("reduction")
    use.text("reduction", "none", ("none",))
    value, indices = use.value(0), use.value(1, INDICES)
    updates = use.value(2, {value.dtype})
    depth = indices.shape[-1] if indices.rank else 0
    use.require(1 <= depth <= value.rank, f"indices {indices.shape} into {value.shape}")
    for size in value.shape[:depth]:
        _not_empty(use, size, indices)
    wanted = (*indices.shape[:-1], *value.shape[depth:])
    use.require(updates.shape == wanted, f"updates of {updates.shape}, where {wanted} is taken")
    return (Value(value.shape, value.dtype),)


def _scatter_elements(use: Use) -> tuple[Value, ...]:
    use.arity(3)
    use.knows("axis", "reduction")
    use.text("reduction", "none", ("none",))
    value, indices = use.value(0), use.value(1, INDICES)
    updates = use.value(2, {value.dtype})
    axis = use.axis(use.integer("axis", 0), value.rank)
    _not_empty(use, value.shape[axis], indices)
    _within(use, value, indices, axis)
    use.require(updates.shape == indices.shape, f"updates of {updates.shape} for indices of {indices.shape}")
    return (Value(value.shape, value.dtype),)


RULES: Mapping[str, Infer] = {
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ScatterND": _scatter_nd,
    "ScatterElements": _scatter_elements,
}
