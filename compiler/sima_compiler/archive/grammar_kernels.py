"""The EV74 kernels of the grammar: the exact parameters of each, and what they mean for buffer sizes.

In: a kernel's name, its parameters, the sizes in bytes of the buffers that it reads and writes, and the batch that the
sizes cover. Out: one sentence per broken rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

_SHAPES = {"input_shapes", "output_shapes"}
#: Bytes of one value of each type that a document may name.
TYPE_BYTES = {
    "int8": 1, "uint8": 1, "bool": 1, "int16": 2, "bfloat16": 2, "float16": 2, "int32": 4, "float32": 4, "int64": 8,
}  # fmt: skip
_ALIGNMENT = 16
_CARRIED_TYPES = ("int8", "bfloat16")
_SHARED_BUFFERS = ("pack_transform", "unpack_transform")

Params = dict[str, Any]


def is_count(value: object) -> bool:
    """Whether ``value`` is a positive whole number."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_shape(value: object) -> bool:
    """Whether ``value`` is a list of positive whole numbers."""
    return isinstance(value, list) and bool(value) and all(is_count(size) for size in value)


def check_kernel(kernel: object, params: Params, inputs: list[int], outputs: list[int], batch: int) -> Iterator[str]:
    """Broken rules of one EV74 plugin."""
    if not isinstance(kernel, str) or kernel not in _KERNELS:
        yield f"unknown kernel {kernel!r}"
        return
    keys, check = _KERNELS[kernel]
    wanted = keys | (_SHAPES if kernel != "pass_through" else set[str]())
    if params.keys() != wanted:
        yield f"{kernel}: params must be exactly {', '.join(sorted(wanted)) or 'empty'}"
        return
    for key, sizes in (("input_shapes", inputs), ("output_shapes", outputs)):
        shapes = params.get(key, [[1]] * len(sizes))
        if not isinstance(shapes, list) or len(shapes) != len(sizes) or not all(is_shape(shape) for shape in shapes):
            yield f"{kernel}: {key} must hold one shape per buffer"
            return
    yield from (f"{kernel}: {sentence}" for sentence in check(params, inputs, outputs))
    if kernel in _SHARED_BUFFERS:
        parts = inputs if kernel == "pack_transform" else outputs
        yield from (f"{kernel}: {sentence}" for sentence in _samples(parts, batch))


def _width(type_name: object) -> int:
    """Bytes of one value, 0 for an unknown type."""
    return TYPE_BYTES.get(type_name, 0) if isinstance(type_name, str) else 0


def _sizes(params: Params, key: str, sizes: list[int], width: int) -> Iterator[str]:
    for shape, size in zip(params[key], sizes, strict=True):
        if prod(shape) * width != size:
            yield f"{key} {shape} at {width} bytes a value makes {prod(shape) * width} bytes, the buffer has {size}"


def _one_to_one(inputs: list[int], outputs: list[int]) -> Iterator[str]:
    if len(inputs) != 1 or len(outputs) != 1:
        yield "must have one input and one output"


def _channel_params(params: Params, shape: list[int]) -> Iterator[str]:
    pairs = params["channel_params"]
    if not isinstance(pairs, list) or len(pairs) not in (1, shape[-1]):
        yield "channel_params must hold one pair, or one per channel"
        return
    for pair in pairs:
        sound = isinstance(pair, list) and len(pair) == 2 and all(isinstance(v, (int, float)) for v in pair)
        if not sound or not pair[0] > 0 or not isinstance(pair[1], int) or not -128 <= pair[1] <= 127:
            yield f"channel_params: {pair} must be a positive scale and a zero point in -128..127"


def _quantization(params: Params, inputs: list[int], outputs: list[int]) -> Iterator[str]:
    yield from _one_to_one(inputs, outputs)
    yield from _channel_params(params, params["input_shapes"][0])
    for key, value in (("num_bits", 8), ("rounding", "TONEAREST"), ("output_data_type", "int8")):
        if params[key] != value:
            yield f"{key} must be {value!r}"
    yield from _same_shapes(params)
    yield from _sizes(params, "input_shapes", inputs, 4)
    yield from _sizes(params, "output_shapes", outputs, 1)


def _dequantization(params: Params, inputs: list[int], outputs: list[int]) -> Iterator[str]:
    yield from _one_to_one(inputs, outputs)
    yield from _channel_params(params, params["input_shapes"][0])
    if params["input_data_type"] != "int8":
        yield "input_data_type must be 'int8'"
    yield from _same_shapes(params)
    yield from _sizes(params, "input_shapes", inputs, 1)
    yield from _sizes(params, "output_shapes", outputs, 4)


def _same_shapes(params: Params) -> Iterator[str]:
    if params["input_shapes"] != params["output_shapes"]:
        yield "input and output shapes must be the same"


def _tessellation(params: Params, inputs: list[int], outputs: list[int]) -> Iterator[str]:
    yield from _one_to_one(inputs, outputs)
    yield from _tiled(params, params["input_shapes"][0], params["output_shapes"][0], inputs[0], outputs[0])


def _detessellation(params: Params, inputs: list[int], outputs: list[int]) -> Iterator[str]:
    yield from _one_to_one(inputs, outputs)
    frame = params["output_shapes"][0]
    if params["frame_shape"] != frame:
        yield "frame_shape must be the output's shape"
    if is_shape(params["slice_shape"]) and params["slice_shape"][-1] != frame[-1]:
        yield "slice_shape must have the frame's channels"
    yield from _tiled(params, frame, params["input_shapes"][0], outputs[0], inputs[0])


def _tiled(params: Params, frame: list[int], flat: list[int], dense_size: int, tiled_size: int) -> Iterator[str]:
    """The rules that both directions share: ``frame`` is the dense NHWC side, ``flat`` the tessellated one."""
    if params["frame_type"] not in _CARRIED_TYPES:
        yield f"frame_type {params['frame_type']!r} must be {' or '.join(_CARRIED_TYPES)}"
        return
    width = _width(params["frame_type"])
    if not isinstance(params["align_c16"], bool) or not isinstance(params["cblock"], bool):
        yield "align_c16 and cblock must be true or false"
    slice_shape = params["slice_shape"]
    if len(frame) != 4 or not is_shape(slice_shape) or len(slice_shape) != 3:
        yield "the frame must be NHWC and slice_shape HWC"
        return
    if any(part > whole for part, whole in zip(slice_shape, frame[1:], strict=True)):
        yield f"slice_shape {slice_shape} exceeds the frame {frame[1:]}"
    row = frame[3] * width
    if params["align_c16"] or params["cblock"]:
        row += -row % _ALIGNMENT
    wanted = prod(frame[:3]) * row
    if tiled_size != wanted or dense_size != prod(frame) * width:
        yield f"a frame of {frame} makes {wanted} bytes tessellated and {prod(frame) * width} dense"
    if len(flat) != 2 or prod(flat) != tiled_size or flat[0] != frame[0]:
        yield f"the tessellated shape {flat} must be (batch, bytes per sample)"


def _cast(params: Params, inputs: list[int], outputs: list[int]) -> Iterator[str]:
    yield from _one_to_one(inputs, outputs)
    other = {"bfloat16": "float32", "float32": "bfloat16"}.get(str(params["out_dtype"]))
    if other is None:
        yield f"out_dtype {params['out_dtype']!r} must be bfloat16 or float32"
        return
    yield from _same_shapes(params)
    yield from _sizes(params, "input_shapes", inputs, TYPE_BYTES[other])
    yield from _sizes(params, "output_shapes", outputs, _width(params["out_dtype"]))


def _pack(_params: Params, inputs: list[int], outputs: list[int]) -> Iterator[str]:
    if len(inputs) < 2 or len(outputs) != 1:
        yield "must have two or more inputs and one output"
    wanted = sum(part + -part % _ALIGNMENT for part in inputs)
    if outputs[0] != wanted:
        yield f"parts of {inputs} bytes, each aligned to {_ALIGNMENT}, make {wanted}, the buffer has {outputs[0]}"


def _unpack(params: Params, inputs: list[int], outputs: list[int]) -> Iterator[str]:
    types, shapes = params["tensor_types"], params["tensor_shapes"]
    if len(inputs) != 1:
        yield "must have one input"
    if not isinstance(types, list) or not isinstance(shapes, list) or not len(types) == len(shapes) == len(outputs):
        yield "tensor_types and tensor_shapes must hold one item per output"
        return
    if shapes != params["output_shapes"]:
        yield "tensor_shapes must repeat output_shapes"
    for name, shape, size in zip(types, shapes, outputs, strict=True):
        width = _width(name) if name in _CARRIED_TYPES else 0
        if not width or not is_shape(shape) or prod(shape) * width != size:
            yield f"{name} {shape} does not make {size} bytes"
    if sum(outputs) != inputs[0]:
        yield f"parts of {outputs} bytes make {sum(outputs)}, the buffer has {inputs[0]}"


def _samples(parts: list[int], batch: int) -> Iterator[str]:
    """Above batch 1 a buffer is read sample by sample: each sample of each part must begin at a whole unit."""
    for part in parts if batch > 1 else ():
        if part % (batch * _ALIGNMENT):
            yield f"a part of {part} bytes is no multiple of {_ALIGNMENT} per sample at batch {batch}"


def _slice(params: Params, inputs: list[int], outputs: list[int]) -> Iterator[str]:
    yield from _one_to_one(inputs, outputs)
    if [params["input_shape"]] != params["input_shapes"] or [params["output_shape"]] != params["output_shapes"]:
        yield "input_shape and output_shape must repeat the plugin's shapes"
    begin, end = params["begin"], params["end"]
    rank = len(params["input_shapes"][0])
    sides = (begin, end, params["output_shapes"][0])
    if not all(isinstance(side, list) and len(side) == rank for side in sides):
        yield "begin, end and the shapes must have one length"
        return
    for first, last, whole, part in zip(begin, end, params["input_shapes"][0], sides[2], strict=True):
        if not (isinstance(first, int) and isinstance(last, int) and 0 <= first <= last <= whole):
            yield f"begin {begin} and end {end} must lie inside the input"
        elif last - first != part:
            yield f"begin {begin} and end {end} do not give the output's shape"


def _reshape(params: Params, inputs: list[int], outputs: list[int]) -> Iterator[str]:
    yield from _one_to_one(inputs, outputs)
    if not is_shape(params["newshape"]) or prod(params["newshape"]) != prod(params["output_shapes"][0]):
        yield "newshape must hold as many values as the output"
    yield from _same_sizes(params, inputs, outputs)


def _same_sizes(_params: Params, inputs: list[int], outputs: list[int]) -> Iterator[str]:
    if inputs != outputs:
        yield f"reads {inputs} bytes and writes {outputs}; they must be the same"


_Check = Callable[[Params, list[int], list[int]], Iterator[str]]
_KERNELS: dict[str, tuple[set[str], _Check]] = {
    "quantization_transform": ({"channel_params", "num_bits", "rounding", "output_data_type"}, _quantization),
    "tessellation_transform": ({"slice_shape", "align_c16", "cblock", "frame_type"}, _tessellation),
    "detessellation_transform": ({"slice_shape", "frame_shape", "align_c16", "cblock", "frame_type"}, _detessellation),
    "dequantization_transform": ({"channel_params", "input_data_type"}, _dequantization),
    "cast_transform": ({"out_dtype"}, _cast),
    "cast": ({"out_dtype"}, _cast),
    "pack_transform": (set(), _pack),
    "unpack_transform": ({"tensor_types", "tensor_shapes"}, _unpack),
    "slice_transform": ({"begin", "end", "input_shape", "output_shape"}, _slice),
    "reshape_transform": ({"newshape"}, _reshape),
    "batch_flatten_transform": (set(), _same_sizes),
    "pass_through": (set(), _same_sizes),
}
