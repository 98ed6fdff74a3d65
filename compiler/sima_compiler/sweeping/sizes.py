"""Input sizes of a sweep: the rows and columns that the caller means, and the networks that have them.

In: a model and shapes in the caller's spelling. Out: networks, each with the sizes to tell it for. Always: a file that
leaves its sizes open is read once per size; a model of one size is told for another by the compiler, where it can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sima_compiler.errors import OptionError
from sima_compiler.frontend.container import SUFFIX
from sima_compiler.frontend.input_shapes import is_open, sizes_of_inputs
from sima_compiler.frontend.loading import load_onnx
from sima_compiler.ir.another_size import FixedSize, input_size
from sima_compiler.ir.graph import Graph
from sima_compiler.model import Model
from sima_compiler.sweeping.points import SweptNetwork

if TYPE_CHECKING:
    from sima_compiler.frontend.loading import OnnxModel

#: One size: whole shapes by input name, a whole shape or (rows, columns) of the only input, or None for its own.
InputSize = Mapping[str, Sequence[int]] | Sequence[int] | None
InputSizes = Sequence[InputSize] | None
Sized = tuple[SweptNetwork, list[tuple[int, int] | None]]


def networks_of(source: Model | str | Path | OnnxModel, sizes: InputSizes) -> list[Sized]:
    """The networks to sweep, each with its sizes.

    Raises:
        ModelError: the model cannot be read. OptionError: a size does not fit its inputs.
    """
    wanted = list(sizes) if sizes is not None else [None]
    if not wanted:
        raise OptionError("no input shape is given", hint="leave input_shapes out for the model's own")
    if not isinstance(source, Model) and (names := _open_inputs(source)):
        models = [Model.from_onnx(source, input_shapes=_whole_shapes(names, size)) for size in wanted]
        return [(_swept(model), [_told(model.graph, size)]) for model, size in zip(models, wanted, strict=True)]
    model = source if isinstance(source, Model) else read_model(source)
    return [(_swept(model), [_told(model.graph, size) for size in wanted])]


def read_model(source: str | Path | OnnxModel) -> Model:
    """A ``.sima`` file or a quantized ONNX model.

    Raises:
        ModelError: it cannot be read, or is a float one.
    """
    if isinstance(source, str | Path) and str(source).endswith(SUFFIX):
        path = Path(source).expanduser()
        return Model.load(path.name, str(path.parent))
    return Model.from_onnx(source)


def _open_inputs(source: str | Path | OnnxModel) -> dict[str, tuple[int, ...]]:
    """Sizes of the inputs by name where the file leaves some open besides the batch; empty where it does not."""
    if isinstance(source, str | Path) and str(source).endswith(SUFFIX):
        return {}
    sizes = {name: found or () for name, found in sizes_of_inputs(load_onnx(source)).items()}
    return sizes if any(is_open(found) for found in sizes.values()) else {}


def _whole_shapes(inputs: Mapping[str, tuple[int, ...]], size: InputSize) -> Mapping[str, Sequence[int]]:
    if size is None:
        raise OptionError("the file leaves its input sizes open", hint="name them: input_shapes=[(224, 224)]")
    if isinstance(size, Mapping):
        return size
    if len(inputs) != 1:
        raise OptionError(f"{_text(size)}: the model has {len(inputs)} inputs", hint="give {name: shape} for each")
    ((name, own),) = inputs.items()
    if len(size) == len(own):
        return {name: size}
    opened = [axis for axis, known in enumerate(own) if axis and not known]
    if len(size) != 2 or len(opened) != 2:
        raise OptionError(
            f"{_text(size)}: input {name!r} is {_text(own)}",
            hint=f"give a whole shape, such as {_text([known or 224 for known in own])}",
        )
    told = dict(zip(opened, size, strict=True))
    return {name: [told.get(axis, known or 1) for axis, known in enumerate(own)]}


def _told(graph: Graph, size: InputSize) -> tuple[int, int] | None:
    """The rows and columns that a size means for a network."""
    if size is None:
        return None
    own = input_size(graph)
    if not isinstance(size, Mapping) and len(size) == 2:
        return _positive(size[0]), _positive(size[1])
    shapes = size if isinstance(size, Mapping) else {next(iter(graph.inputs)): size}
    if unknown := sorted(set(shapes) - set(graph.inputs)):
        raise OptionError(f"input shape: no input {unknown[0]!r}", hint=f"its inputs: {', '.join(graph.inputs)}")
    if isinstance(own, FixedSize):
        raise OptionError(f"input shape: the network is tied to its size: {own.reason}",
                          hint="export the model at each size and sweep every one on its own")  # fmt: skip
    found = {_spatial(graph, name, shape, own.axes[name]) for name, shape in shapes.items()}
    if len(found) != 1:
        raise OptionError(f"input shape {dict(shapes)}: all inputs must get the same rows and columns")
    return next(iter(found))


def _spatial(graph: Graph, name: str, shape: Sequence[int], axes: tuple[int, int]) -> tuple[int, int]:
    own = graph.tensors[name].shape
    sample = list(shape)[1:] if len(shape) == len(own) + 1 else []
    fixed = [axis for axis in range(len(own)) if axis not in axes]
    if not sample or any(sample[axis] != own[axis] for axis in fixed):
        raise OptionError(
            f"input shape {name}={_text(shape)}: the model has {_text([1, *own])}; only rows and columns can change",
            hint="give rows and columns alone, such as 224x224",
        )
    return _positive(sample[axes[0]]), _positive(sample[axes[1]])


def _positive(size: int) -> int:
    if isinstance(size, bool) or int(size) != size or size < 1:
        raise OptionError(f"input size {size!r}: expected a whole number of at least 1")
    return int(size)


def _swept(model: Model) -> SweptNetwork:
    return SweptNetwork(model.name, model.checksum, model.to_bytes())


def _text(sizes: Sequence[int]) -> str:
    return "x".join(str(size or "?") for size in sizes)
