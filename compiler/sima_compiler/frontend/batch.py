"""The inputs of a model and their batch.

In: the graph's inputs as the file declares them. Out: per-sample shapes, the batch that the file wrote (0 when
symbolic) and warnings where the first dimension can only be suspected not to be the batch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import onnx

from sima_compiler.errors import ModelError, UnsupportedError
from sima_compiler.frontend.input_shapes import input_sizes, is_open, shape_option
from sima_compiler.frontend.rules import BATCH_FIRST
from sima_compiler.frontend.values import GraphInput


def source_batch(model: onnx.ModelProto, constants: Collection[str]) -> tuple[list[GraphInput], int, list[str]]:
    """Inputs, batch and warnings.

    Raises:
        ModelError: an input has no shape, an unknown size behind the batch, or a batch of its own.
    """
    entries = [entry for entry in model.graph.input if entry.name not in constants]
    if not entries:
        raise ModelError("the model has no inputs")
    _refuse_open_sizes(entries)
    inputs: list[GraphInput] = []
    batches: dict[str, int] = {}
    warnings: list[str] = []
    for entry in entries:
        sizes = _checked_sizes(entry)
        batches[entry.name] = sizes[0]
        inputs.append(GraphInput(entry.name, sizes[1:]))
        warnings += _suspicions(entry.name, sizes)
    return inputs, _common(batches), warnings


def _refuse_open_sizes(entries: Sequence[onnx.ValueInfoProto]) -> None:
    """All open sizes at once, with the options that fix them."""
    sizes = {entry.name: input_sizes(entry) for entry in entries}
    open_inputs = {name: found for name, found in sizes.items() if is_open(found)}
    if open_inputs:
        options = " ".join(shape_option(name, found) for name, found in open_inputs.items())
        raise ModelError(
            "; ".join(_open_sentence(name, found) for name, found in open_inputs.items()),
            hint=f"give the sizes: {options} (in Python: input_shapes={{name: shape}})",
        )


def _open_sentence(name: str, sizes: tuple[int, ...] | None) -> str:
    if sizes is None:
        return f"input {name!r} has no shape"
    missing = [str(place) for place, size in enumerate(sizes) if place and size < 1]
    many = "dimensions" if len(missing) > 1 else "dimension"
    have = "have" if len(missing) > 1 else "has"
    listed = " and ".join(missing)
    return f"input {name!r}: {many} {listed} {have} no fixed size; only the batch, dimension 0, may be open"


def _checked_sizes(entry: onnx.ValueInfoProto) -> tuple[int, ...]:
    sizes = input_sizes(entry)
    if not sizes:
        raise UnsupportedError(
            f"input {entry.name!r} is a single number, without a batch", rule=BATCH_FIRST.sentence,
            hint="give every input a leading batch dimension",
        )  # fmt: skip
    return sizes


def _suspicions(name: str, sizes: tuple[int, ...]) -> list[str]:
    shape = "(" + ", ".join(str(size) if size else "batch" for size in sizes) + ")"
    if len(sizes) == 1:
        return [f"input {name!r} of shape {shape}: its only dimension is taken for the batch"]
    if len(sizes) == 3 and sizes[0] > 1:
        return [f"input {name!r} of shape {shape}: dimension 0 is taken for the batch, yet it looks like a lone image"]
    if sizes[0] > 1:
        return [f"input {name!r} of shape {shape}: dimension 0 is taken for a batch of {sizes[0]} and overridden"]
    return []


def _common(batches: dict[str, int]) -> int:
    literal = {size for size in batches.values() if size}
    if len(literal) > 1:
        found = ", ".join(f"{name}: {size}" for name, size in batches.items())
        raise UnsupportedError(
            f"the inputs' first dimensions differ ({found}), so they are not all the batch", rule=BATCH_FIRST.sentence
        )
    return literal.pop() if literal else 0
