"""Building `*_mpk.json`: the plugins that carry float tensors to the MLA and back.

Before: an `MpkDescription`, model inputs and outputs, MLA segments and the tensors between them. After: the published
document, per model input ``quantize -> tessellate``, then each MLA segment, per model output ``detessellate ->
dequantize``, and one ``pass_through`` at the end that gives the outputs their names.

An MLA plugin has one input and one output buffer. Several inputs are joined by a ``pack_transform`` and several outputs
parted by an ``unpack_transform``, the grammar's own way from several tensors to one buffer and back: parts follow in
order without padding between them, and every sample of every part is a multiple of 16 bytes, so that sizes add up
exactly at any batch. `MlaSegment.input_offsets` and `output_offsets` say where each part begins.

Always holds: plugin names and tensor names are unique, sequence numbers run 1..N, sizes and shapes cover the whole
actual batch in NHWC, EV74 plugins carry the actual batch twice. A quantization or dequantization carries 1 / scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Any

from sima_compiler.archive.strict_json import dump_json
from sima_compiler.errors import InternalError

#: Version of the published grammar that the documents follow.
SDK_VERSION = "2.1.0"
#: Bytes to which padded channels and parts of a shared buffer are aligned.
ALIGNMENT = 16

_EXECUTABLE = "kernel_name_tbd"
_FLOAT_BYTES = 4

Shape = tuple[int, int, int, int]
Json = dict[str, Any]


def aligned(size: int) -> int:
    """``size`` rounded up to whole 16-byte units."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True, slots=True)
class TensorDescription:
    """An int8 tensor of the MLA. ``shape`` is (actual batch, rows, columns, channels).

    real = (q - zero_point) * scale. ``packed``: channels lie densely (HWC); otherwise each pixel's channels are padded
    to 16 bytes.
    """

    name: str
    shape: Shape
    scale: float
    zero_point: int
    packed: bool = False

    @property
    def mla_bytes(self) -> int:
        """Bytes of the whole batch as the MLA holds it."""
        return prod(self.shape[:3]) * (self.shape[3] if self.packed else aligned(self.shape[3]))


@dataclass(frozen=True, slots=True)
class MlaSegment:
    """One MLA plugin, ``MLA_0``: its binary's name in the archive and its tensors in order."""

    name: str
    file: str
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]

    @property
    def input_offsets(self) -> tuple[int, ...]:
        """Where each input begins in the plugin's input buffer, in bytes."""
        return _offsets(self.inputs)

    @property
    def output_offsets(self) -> tuple[int, ...]:
        """Where each output begins in the plugin's output buffer, in bytes."""
        return _offsets(self.outputs)


@dataclass(frozen=True, slots=True)
class MpkDescription:
    """Everything that a document says. ``model_path`` is a base name; ``inputs`` and ``outputs`` are the model's."""

    name: str
    model_path: str
    model_checksum: str
    desired_batch_size: int
    actual_batch_size: int
    quads: int
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]
    segments: tuple[MlaSegment, ...]
    model_sdk_version: str = SDK_VERSION


@dataclass(frozen=True, slots=True)
class _Buffer:
    """A named tensor of the document; ``size`` in bytes, ``shape`` with the batch in front."""

    name: str
    size: int
    shape: tuple[int, ...]


def build_mpk(description: MpkDescription) -> Json:
    """The document as plain JSON values.

    Raises:
        InternalError: tensors without a producer, or names, shapes and batch that contradict each other.
    """
    _check(description)
    builder = _Builder(description)
    for segment in description.segments:
        builder.segment(segment)
    ends = [builder.output(tensor) for tensor in description.outputs]
    builder.pass_through(ends, [tensor.name for tensor in description.outputs])
    return {
        "name": description.name,
        "model_path": description.model_path,
        "model_checksum": description.model_checksum,
        "model_sdk_version": description.model_sdk_version,
        "sequence": 1,
        "input_nodes": [_output_node(_float_buffer(tensor.name, tensor)) for tensor in description.inputs],
        "plugins": builder.plugins,
    }


def dump_mpk(document: Mapping[str, Any]) -> bytes:
    """JSON text of a document, as an archive holds it."""
    return dump_json(dict(document))


class _Builder:
    """Collects plugins in sequence and knows which buffer holds each MLA tensor."""

    def __init__(self, description: MpkDescription) -> None:
        self._description = description
        self._inputs = {tensor.name: tensor for tensor in description.inputs}
        self._on_mla: dict[str, _Buffer] = {}
        self._conversions = 0
        reserved = {tensor.name for tensor in (*description.inputs, *description.outputs)}
        self._taken = reserved | {segment.name for segment in description.segments}
        self.plugins: list[Json] = []

    def segment(self, segment: MlaSegment) -> None:
        """The segment with what its inputs need before it and its outputs after it."""
        parts = [self._mla_input(segment, index) for index in range(len(segment.inputs))]
        source = parts[0] if len(parts) == 1 else self._pack(segment, parts)
        results = [_mla_buffer(tensor) for tensor in segment.outputs]
        joined = results[0] if len(results) == 1 else _joined(results)
        name = self._tensor_name(segment.name)
        target = _Buffer(name, joined.size, joined.shape)
        self._mla(segment, source, target)
        parted = [target] if len(results) == 1 else self._unpack(segment, target, results)
        for tensor, buffer in zip(segment.outputs, parted, strict=True):
            self._on_mla[tensor.name] = buffer

    def output(self, tensor: TensorDescription) -> _Buffer:
        """Detessellation and dequantization of a model output; returns the float buffer."""
        source = self._on_mla.get(tensor.name)
        if source is None:
            raise InternalError(f"mpk: no segment produces the output {tensor.name}")
        dense = _Buffer(
            self._fresh(f"detessellate_{source.name}_detessellation_transform"), prod(tensor.shape), tensor.shape
        )
        flags = _layout_flags(tensor)
        frame = {"slice_shape": list(tensor.shape[1:]), "frame_shape": list(tensor.shape)}
        self._ev74(dense.name, "detessellation_transform", {**frame, **flags}, [source], [dense])
        name = self._conversion("dequantize")
        real = _float_buffer(f"{name}/output", tensor)
        params = {"channel_params": _channel_params(tensor), "input_data_type": "int8"}
        self._ev74(name, "dequantization_transform", params, [dense], [real])
        return real

    def pass_through(self, sources: Sequence[_Buffer], names: Sequence[str]) -> None:
        """The last plugin: the same bytes under the model's own output names."""
        targets = [_Buffer(name, source.size, source.shape) for name, source in zip(names, sources, strict=True)]
        self._plugin(self._fresh("pass_through_0"), "EV74", self._ev74_config("pass_through", {}), sources, targets)

    def _mla_input(self, segment: MlaSegment, index: int) -> _Buffer:
        tensor = segment.inputs[index]
        if tensor.name not in self._on_mla:
            if tensor.name not in self._inputs:
                raise InternalError(f"mpk: nothing produces {tensor.name}, an input of {segment.name}")
            self._on_mla[tensor.name] = self._quantized(tensor, f"{segment.name}/placeholder_{index}_0")
        return self._on_mla[tensor.name]

    def _quantized(self, tensor: TensorDescription, place: str) -> _Buffer:
        dense = _Buffer(self._conversion("quantize"), prod(tensor.shape), tensor.shape)
        params = {"channel_params": _channel_params(tensor), "num_bits": 8, "rounding": "TONEAREST"}
        params["output_data_type"] = "int8"
        self._ev74(dense.name, "quantization_transform", params, [_float_buffer(tensor.name, tensor)], [dense])
        tiles = _mla_buffer(tensor, self._fresh(f"tessellate_{dense.name}_{place}_tessellation_transform"))
        params = {"slice_shape": list(tensor.shape[1:]), **_layout_flags(tensor)}
        self._ev74(tiles.name, "tessellation_transform", params, [dense], [tiles])
        return tiles

    def _pack(self, segment: MlaSegment, parts: Sequence[_Buffer]) -> _Buffer:
        packed = _joined(parts, self._fresh(f"pack_{segment.name}"))
        self._ev74(packed.name, "pack_transform", {}, parts, [packed])
        return packed

    def _unpack(self, segment: MlaSegment, source: _Buffer, parts: Sequence[_Buffer]) -> list[_Buffer]:
        name = self._fresh(f"unpack_{segment.name}")
        targets = [_Buffer(self._fresh(f"{segment.name}_{i}"), part.size, part.shape) for i, part in enumerate(parts)]
        params = {"tensor_types": ["int8"] * len(parts), "tensor_shapes": [list(part.shape) for part in parts]}
        self._ev74(name, "unpack_transform", params, [source], targets)
        return targets

    def _mla(self, segment: MlaSegment, source: _Buffer, target: _Buffer) -> None:
        config = {
            "desired_batch_size": self._description.desired_batch_size,
            "actual_batch_size": self._description.actual_batch_size,
            "number_of_quads_to_user": self._description.quads,
        }
        self._plugin(segment.name, "MLA", config, [source], [target], executable=segment.file)

    def _ev74(
        self, name: str, kernel: str, params: Json, sources: Sequence[_Buffer], targets: Sequence[_Buffer]
    ) -> None:
        shapes = {
            "input_shapes": [list(buffer.shape) for buffer in sources],
            "output_shapes": [list(buffer.shape) for buffer in targets],
        }
        self._plugin(name, "EV74", self._ev74_config(kernel, {**params, **shapes}), sources, targets)

    def _ev74_config(self, kernel: str, params: Json) -> Json:
        batch = self._description.actual_batch_size
        return {"desired_batch_size": batch, "actual_batch_size": batch, "kernel": kernel, "params": params}

    def _plugin(
        self,
        name: str,
        processor: str,
        config: Json,
        sources: Sequence[_Buffer],
        targets: Sequence[_Buffer],
        executable: str = _EXECUTABLE,
    ) -> None:
        self.plugins.append(
            {
                "name": name,
                "sequence": len(self.plugins) + 1,
                "processor": processor,
                "config_params": config,
                "input_nodes": [{"name": buffer.name, "size": buffer.size} for buffer in sources],
                "output_nodes": [_output_node(buffer) for buffer in targets],
                "type": "sgpProcess",
                "resources": {"executable": executable},
            }
        )

    def _conversion(self, verb: str) -> str:
        """``quantize_0``, ``dequantize_1``: one counter over both."""
        name = self._fresh(f"{verb}_{self._conversions}")
        self._conversions += 1
        return name

    def _tensor_name(self, segment_name: str) -> str:
        """A segment's output is called like the segment unless the model's own tensors are."""
        model_names = {tensor.name for tensor in (*self._description.inputs, *self._description.outputs)}
        return self._fresh(f"{segment_name}/output") if segment_name in model_names else segment_name

    def _fresh(self, name: str) -> str:
        """``name``, or with a number behind it if a plugin or a tensor has that name already."""
        candidate, count = name, 0
        while candidate in self._taken:
            count += 1
            candidate = f"{name}.{count}"
        self._taken.add(candidate)
        return candidate


def _mla_buffer(tensor: TensorDescription, name: str = "") -> _Buffer:
    batch = tensor.shape[0]
    return _Buffer(name or tensor.name, tensor.mla_bytes, (batch, tensor.mla_bytes // batch))


def _float_buffer(name: str, tensor: TensorDescription) -> _Buffer:
    return _Buffer(name, prod(tensor.shape) * _FLOAT_BYTES, tensor.shape)


def _joined(parts: Sequence[_Buffer], name: str = "") -> _Buffer:
    """The buffer that holds all parts; its first dimension is the batch."""
    total = sum(part.size for part in parts)
    batch = parts[0].shape[0]
    return _Buffer(name, total, (batch, total // batch))


def _offsets(tensors: Sequence[TensorDescription]) -> tuple[int, ...]:
    return (0, *accumulate(tensor.mla_bytes for tensor in tensors[:-1]))


def _output_node(buffer: _Buffer) -> Json:
    return {"name": buffer.name, "type": "buffer", "size": buffer.size}


def _layout_flags(tensor: TensorDescription) -> Json:
    return {"align_c16": not tensor.packed, "cblock": False, "frame_type": "int8"}


def _channel_params(tensor: TensorDescription) -> list[list[float | int]]:
    return [[1.0 / float(tensor.scale), int(tensor.zero_point)]]


def _check(description: MpkDescription) -> None:
    names = [tensor.name for tensor in (*description.inputs, *description.outputs)]
    if len(set(names)) != len(names):
        raise InternalError(f"mpk: model inputs and outputs share a name: {', '.join(names)}")
    if not description.segments or not description.inputs or not description.outputs:
        raise InternalError("mpk: a document needs inputs, segments and outputs")
    if not 1 <= description.actual_batch_size <= description.desired_batch_size:
        raise InternalError(
            f"mpk: actual batch {description.actual_batch_size} must lie in 1..{description.desired_batch_size}"
        )
    tensors = [t for segment in description.segments for t in (*segment.inputs, *segment.outputs)]
    for tensor in (*description.inputs, *description.outputs, *tensors):
        if tensor.shape[0] != description.actual_batch_size or min(tensor.shape) < 1 or not tensor.scale > 0:
            raise InternalError(f"mpk: {tensor.name} of shape {tensor.shape} and scale {tensor.scale} in this batch")
    for segment in description.segments:
        _check_parts(segment.inputs)
        _check_parts(segment.outputs)


def _check_parts(parts: Sequence[TensorDescription]) -> None:
    """Tensors that share a buffer are whole 16-byte units per sample."""
    for tensor in parts if len(parts) > 1 else ():
        sample = tensor.mla_bytes // tensor.shape[0]
        if sample % ALIGNMENT:
            raise InternalError(f"mpk: {tensor.name} shares a buffer with {sample} bytes per sample, not 16-byte units")
