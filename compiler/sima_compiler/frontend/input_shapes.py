"""Sizes that a file leaves open, fixed by the person or by the samples.

Before: an input ``(batch, 3, height, width)``. After: ``(batch, 3, 320, 320)``. In: a model and shapes by input name,
the batch in front. Out: a copy with these sizes. Always: the batch stays as the file has it; a size that the file fixes
is never overridden; shapes of inner values that open sizes left behind are dropped, to be inferred again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from sima_compiler.errors import OptionError

InputShapes = Mapping[str, Sequence[int]]


def with_input_shapes(model: onnx.ModelProto, shapes: InputShapes) -> onnx.ModelProto:
    """The copy; ``shapes`` holds the whole shape of each named input, the first size being the batch.

    Raises:
        OptionError: an unknown input, another number of dimensions, or a size that contradicts the file.
    """
    inputs = sizes_of_inputs(model)
    unknown = sorted(set(shapes) - set(inputs))
    if unknown:
        raise OptionError(f"the model has no input {unknown[0]!r}", hint=f"its inputs: {', '.join(inputs)}")
    if not shapes:
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for entry in result.graph.input:
        if entry.name in shapes:
            _fix(entry, [int(size) for size in shapes[entry.name]])
    _forget_open_shapes(result)
    return result


def sizes_of_inputs(model: onnx.ModelProto) -> dict[str, tuple[int, ...] | None]:
    """Sizes of each input, 0 where the file leaves one open, None where it has no shape."""
    constants = {entry.name for entry in model.graph.initializer}
    return {entry.name: input_sizes(entry) for entry in model.graph.input if entry.name not in constants}


def input_sizes(entry: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    """Sizes of an input, 0 where the file leaves one open, None where it has no shape."""
    kind = entry.type.tensor_type
    return tuple(max(int(dim.dim_value), 0) for dim in kind.shape.dim) if kind.HasField("shape") else None


def assumed_shapes(model: onnx.ModelProto, size: int) -> dict[str, tuple[int, ...]]:
    """Whole shapes of the inputs with open sizes, each of these taken for ``size``; inputs without any shape stay."""
    return {
        name: (1, *(known or size for known in sizes[1:]))
        for name, sizes in sizes_of_inputs(model).items()
        if sizes and is_open(sizes)
    }


def is_open(sizes: Sequence[int] | None) -> bool:
    """Whether a size behind the batch is missing; ``sizes`` holds 0 for those, None stands for no shape at all."""
    return sizes is None or any(size < 1 for size in sizes[1:])


def shape_option(name: str, sizes: Sequence[int] | None) -> str:
    """How an input's shape is given on the command line, open sizes as letters."""
    letters = iter("HWDEFGIJKLMNOPQ")
    known = [str(size) if size > 0 else next(letters, "?") for size in (sizes or (0, 0, 0, 0))[1:]]
    return f"--input-shape {name}={'x'.join(['1', *known])}"


def _fix(entry: onnx.ValueInfoProto, wanted: Sequence[int]) -> None:
    sizes = input_sizes(entry)
    given = "x".join(map(str, wanted))
    if len(wanted) < 1 or min(wanted) < 1:
        raise OptionError(f"input {entry.name!r}: shape {given} has a size below 1")
    if sizes is not None and len(sizes) != len(wanted):
        raise OptionError(
            f"input {entry.name!r}: shape {given} has {len(wanted)} dimensions, the file {len(sizes)}",
            hint="the batch comes first, then the rest as in the file",
        )
    dims = entry.type.tensor_type.shape.dim
    if sizes is None:
        dims.add(dim_param="batch")
        for _ in wanted[1:]:
            dims.add()
    for place, (dim, size) in enumerate(zip(dims, wanted, strict=True)):
        if place and dim.dim_value > 0 and dim.dim_value != size:
            raise OptionError(f"input {entry.name!r}: dimension {place} is {dim.dim_value} in the file, not {size}",
                              hint="only sizes that the file leaves open can be given")  # fmt: skip
        if place:
            dim.dim_value = size


def _forget_open_shapes(model: onnx.ModelProto) -> None:
    """Symbols that stood for two sizes at once would contradict the new ones; the batch's keep theirs."""
    del model.graph.value_info[:]
    for entry in model.graph.output:
        for place, dim in enumerate(entry.type.tensor_type.shape.dim):
            if place and not dim.HasField("dim_value"):
                dim.Clear()
