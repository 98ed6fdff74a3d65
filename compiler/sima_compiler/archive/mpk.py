"""Building `*_mpk.json`: the plugins that carry float tensors to the MLA and back.

Before: an `MpkDescription`, model inputs and outputs, segments of the MLA and the A65 and the tensors between them.
After: the published document, per float tensor that enters the MLA ``quantize -> tessellate``, the segments in order,
per tensor that leaves it ``detessellate -> dequantize``, and one ``pass_through`` at the end that gives the outputs
their names. What one MLA segment hands to another stays as it is.

An MLA plugin has one input and one output buffer. Several inputs are joined by a ``pack_transform`` and several outputs
parted by an ``unpack_transform``, the grammar's own way from several tensors to one buffer and back: parts follow in
order without padding between them, and every sample of every part is a multiple of 16 bytes, so that sizes add up
exactly at any batch. `MlaSegment.input_offsets` and `output_offsets` say where each part begins.

Always holds: plugin names and tensor names are unique, sequence numbers run 1..N, sizes and shapes cover the whole
actual batch in NHWC, EV74 plugins carry the actual batch twice. A quantization or dequantization carries 1 / scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from sima_compiler.archive.grammar_kernels import TYPE_BYTES
from sima_compiler.archive.mpk_description import (
    ALIGNMENT,
    HostSegmentDescription,
    HostTensorDescription,
    MlaSegment,
    MpkDescription,
    TensorDescription,
)
from sima_compiler.archive.strict_json import dump_json
from sima_compiler.errors import InternalError

_EXECUTABLE = "kernel_name_tbd"
_FLOAT_BYTES = TYPE_BYTES["float32"]

Json = dict[str, Any]


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
        if isinstance(segment, MlaSegment):
            builder.segment(segment)
        else:
            builder.host_segment(segment)
    ends = [builder.real(name) for name in description.outputs]
    builder.pass_through(ends, description.outputs)
    return {
        "name": description.name,
        "model_path": description.model_path,
        "model_checksum": description.model_checksum,
        "model_sdk_version": description.model_sdk_version,
        "sequence": 1,
        "input_nodes": [_output_node(_real_buffer(tensor)) for tensor in description.inputs],
        "plugins": builder.plugins,
    }


def dump_mpk(document: Mapping[str, Any]) -> bytes:
    """JSON text of a document, as an archive holds it."""
    return dump_json(dict(document))


class _Builder:
    """Collects plugins in sequence and knows which buffer holds each MLA tensor."""

    def __init__(self, description: MpkDescription) -> None:
        self._description = description
        self._reals = {tensor.name: _real_buffer(tensor) for tensor in description.inputs}
        self._on_mla: dict[str, tuple[TensorDescription, _Buffer]] = {}
        self._dense: dict[str, _Buffer] = {}
        self._conversions = 0
        reserved = {*(tensor.name for tensor in description.inputs), *description.outputs}
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
            self._on_mla[tensor.name] = (tensor, buffer)

    def host_segment(self, segment: HostSegmentDescription) -> None:
        """The A65's plugin on real tensors of segments in front of it and of the model's inputs."""
        sources = [self.real(tensor.name) for tensor in segment.inputs]
        targets = [
            replace(_real_buffer(tensor), name=self._fresh(f"{segment.name}/{tensor.name}"))
            for tensor in segment.outputs
        ]
        config = {
            "input_names": [tensor.name for tensor in segment.inputs],
            "input_types": [_typed(tensor) for tensor in segment.inputs],
            "output_types": [_typed(tensor) for tensor in segment.outputs],
        }
        self._plugin(segment.name, "A65", config, sources, targets, executable=segment.file)
        self._reals |= {tensor.name: target for tensor, target in zip(segment.outputs, targets, strict=True)}

    def real(self, name: str) -> _Buffer:
        """The float buffer of a tensor; what the MLA made is detessellated and dequantized once."""
        if name not in self._reals:
            if name not in self._on_mla:
                raise InternalError(f"mpk: no segment produces {name}")
            self._reals[name] = self._dequantized(self._on_mla[name][0])
        return self._reals[name]

    def _dequantized(self, tensor: TensorDescription) -> _Buffer:
        dense = self._detessellated(tensor)
        name = self._conversion("dequantize")
        real = _float_buffer(f"{name}/output", tensor)
        params = {"channel_params": _channel_params(tensor), "input_data_type": "int8"}
        self._ev74(name, "dequantization_transform", params, [dense], [real])
        return real

    def _detessellated(self, tensor: TensorDescription) -> _Buffer:
        """The dense bytes of a tensor that an MLA segment made."""
        if tensor.name not in self._dense:
            made, source = self._on_mla[tensor.name]
            if made.direct:
                self._dense[tensor.name] = self._sliced(made, source)
                return self._dense[tensor.name]
            name = self._fresh(f"detessellate_{source.name}_detessellation_transform")
            dense = _Buffer(name, prod(made.shape), made.shape)
            frame = {"slice_shape": list(made.shape[1:]), "frame_shape": list(made.shape)}
            self._ev74(name, "detessellation_transform", {**frame, **_layout_flags(made)}, [source], [dense])
            self._dense[tensor.name] = dense
        return self._dense[tensor.name]

    def _sliced(self, tensor: TensorDescription, source: _Buffer) -> _Buffer:
        """The bytes of a tensor that the MLA wrote as it is, without its padding."""
        whole = replace(source, shape=tensor.stored_shape)
        if tensor.stored_shape == tensor.shape:
            return whole
        dense = _Buffer(self._fresh(f"slice_{source.name}"), prod(tensor.shape), tensor.shape)
        shapes = {"input_shape": list(whole.shape), "output_shape": list(tensor.shape)}
        sides = {"begin": [0] * len(tensor.shape), "end": list(tensor.shape)}
        self._ev74(dense.name, "slice_transform", {**sides, **shapes}, [whole], [dense])
        return dense

    def pass_through(self, sources: Sequence[_Buffer], names: Sequence[str]) -> None:
        """The last plugin: the same bytes under the model's own output names."""
        targets = [_Buffer(name, source.size, source.shape) for name, source in zip(names, sources, strict=True)]
        self._plugin(self._fresh("pass_through_0"), "EV74", self._ev74_config("pass_through", {}), sources, targets)

    def _mla_input(self, segment: MlaSegment, index: int) -> _Buffer:
        tensor = segment.inputs[index]
        place = f"{segment.name}/placeholder_{index}_0"
        known = self._on_mla.get(tensor.name)
        if known is not None:
            as_it_is = known[0].packed == tensor.packed and known[0].shape == tensor.shape
            return known[1] if as_it_is else self._tessellated(tensor, self._detessellated(tensor), place)
        if tensor.name not in self._reals:
            raise InternalError(f"mpk: nothing produces {tensor.name}, an input of {segment.name}")
        tiles = self._quantized(tensor, place)
        self._on_mla[tensor.name] = (tensor, tiles)
        return tiles

    def _quantized(self, tensor: TensorDescription, place: str) -> _Buffer:
        dense = _Buffer(self._conversion("quantize"), prod(tensor.shape), tensor.shape)
        params = {"channel_params": _channel_params(tensor), "num_bits": 8, "rounding": "TONEAREST"}
        params["output_data_type"] = "int8"
        source = replace(self._reals[tensor.name], shape=tensor.shape)
        self._ev74(dense.name, "quantization_transform", params, [source], [dense])
        return dense if tensor.direct else self._tessellated(tensor, dense, place)

    def _tessellated(self, tensor: TensorDescription, dense: _Buffer, place: str) -> _Buffer:
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
        if any(tensor.direct for tensor in (*segment.inputs, *segment.outputs)):
            config |= {
                "input_types": [_bytes_of(segment.inputs, source)],
                "output_types": [_bytes_of(segment.outputs, target)],
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
        model_names = {*(tensor.name for tensor in self._description.inputs), *self._description.outputs}
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


def _bytes_of(tensors: Sequence[TensorDescription], buffer: _Buffer) -> Json:
    """What a buffer of the MLA holds: one tensor as it lies there, or the bytes of several."""
    shape = tensors[0].stored_shape if len(tensors) == 1 else buffer.shape
    return {"scalar": "int8", "shape": list(shape)}


def _real_buffer(tensor: HostTensorDescription) -> _Buffer:
    return _Buffer(tensor.name, tensor.bytes, tensor.listed_shape)


def _typed(tensor: HostTensorDescription) -> Json:
    return {"scalar": tensor.scalar, "shape": list(tensor.listed_shape)}


def _joined(parts: Sequence[_Buffer], name: str = "") -> _Buffer:
    """The buffer that holds all parts; its first dimension is the batch."""
    total = sum(part.size for part in parts)
    batch = parts[0].shape[0]
    return _Buffer(name, total, (batch, total // batch))


def _output_node(buffer: _Buffer) -> Json:
    return {"name": buffer.name, "type": "buffer", "size": buffer.size}


def _layout_flags(tensor: TensorDescription) -> Json:
    return {"align_c16": not tensor.packed, "cblock": False, "frame_type": "int8"}


def _channel_params(tensor: TensorDescription) -> list[list[float | int]]:
    return [[1.0 / float(tensor.scale), int(tensor.zero_point)]]


def _check(description: MpkDescription) -> None:
    names = [*(tensor.name for tensor in description.inputs), *description.outputs]
    if len(set(names)) != len(names):
        raise InternalError(f"mpk: model inputs and outputs share a name: {', '.join(names)}")
    if not description.segments or not description.inputs or not description.outputs:
        raise InternalError("mpk: a document needs inputs, segments and outputs")
    if not 1 <= description.actual_batch_size <= description.desired_batch_size:
        raise InternalError(
            f"mpk: actual batch {description.actual_batch_size} must lie in 1..{description.desired_batch_size}"
        )
    for segment in description.segments:
        if isinstance(segment, MlaSegment):
            _check_tensors(segment, description.actual_batch_size)


def _check_tensors(segment: MlaSegment, batch: int) -> None:
    for tensor in (*segment.inputs, *segment.outputs):
        if tensor.shape[0] != batch or min(tensor.shape) < 1 or not tensor.scale > 0:
            raise InternalError(f"mpk: {tensor.name} of shape {tensor.shape} and scale {tensor.scale} in this batch")
    _check_parts(segment.inputs)
    _check_parts(segment.outputs)


def _check_parts(parts: Sequence[TensorDescription]) -> None:
    """Tensors that share a buffer are whole 16-byte units per sample."""
    for tensor in parts if len(parts) > 1 else ():
        sample = tensor.mla_bytes // tensor.shape[0]
        if sample % ALIGNMENT:
            raise InternalError(f"mpk: {tensor.name} shares a buffer with {sample} bytes per sample, not 16-byte units")
