"""A host segment as bytes: what the `.so` carries and `simulate` reads back.

In: a `HostSegment`. Out: bytes, and back. Always holds: equal segments give equal bytes (attributes and constants by
name, floats exactly); what is read back is checked field by field, and nothing is ever unpickled.

Layout, little-endian: `MAGIC`, uint32 version, uint64 length of the head, the head (JSON in UTF-8), then the
constants, each at a multiple of `ALIGNMENT` from the start.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np

from sima_compiler.errors import HostError
from sima_compiler.ir.host import Array, AttributeValue, Dtype, HostNode, HostSegment, HostTensor

MAGIC = b"SIMAHOST"
VERSION = 1
ALIGNMENT = 8
_FRONT = struct.Struct("<8sIQ")
#: A head longer than this is damaged or hostile: real ones take a few hundred bytes per node.
MOST_HEAD_BYTES = 32 << 20
#: What an attribute's value is -> how the head names it.
_KINDS: Mapping[type, str] = {int: "int", float: "float", str: "text"}


def to_bytes(segment: HostSegment) -> bytes:
    """The segment as bytes."""
    names = sorted(segment.constants)
    head = {
        "name": segment.name,
        "inputs": [_tensor_head(tensor) for tensor in segment.inputs],
        "outputs": [_tensor_head(tensor) for tensor in segment.outputs],
        "nodes": [_node_head(node) for node in segment.nodes],
        "constants": [
            [name, list(array.shape), array.dtype.name] for name in names for array in [segment.constants[name]]
        ],
    }
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    # Spaces behind the head bring the constants to where the C of the segment may read them.
    text += b" " * (-(_FRONT.size + len(text)) % ALIGNMENT)
    parts = [_FRONT.pack(MAGIC, VERSION, len(text)), text]
    for name in names:
        data = _stored(segment.constants[name])
        parts += [data, bytes(-len(data) % ALIGNMENT)]
    return b"".join(parts)


def constant_places(segment: HostSegment, data: bytes) -> dict[str, int]:
    """Where in ``data``, which `to_bytes` made of the segment, each constant starts."""
    _, _, length = _FRONT.unpack_from(data)
    place, places = _FRONT.size + length, dict[str, int]()
    for name in sorted(segment.constants):
        places[name] = place
        place += segment.constants[name].nbytes + -segment.constants[name].nbytes % ALIGNMENT
    return places


def from_bytes(data: bytes, origin: str = "host segment") -> HostSegment:
    """What `to_bytes` wrote; ``origin`` names it in errors. The operators' own rules are `ir.verify_host`'s.

    Raises:
        HostError: damaged, or written by a newer release.
    """
    head, place = _head(data, origin)
    try:
        constants: dict[str, Array] = {}
        for name, shape, dtype in head["constants"]:
            tensor = _tensor((name, shape, dtype))
            constants[tensor.name] = _constant(data, place, tensor)
            place += tensor.bytes + -tensor.bytes % ALIGNMENT
        segment = HostSegment(
            name=_text(head["name"]),
            inputs=tuple(map(_tensor, head["inputs"])),
            outputs=tuple(map(_tensor, head["outputs"])),
            nodes=tuple(map(_node, head["nodes"])),
            constants=constants,
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise HostError(f"{origin}: damaged: {error}", hint="compile the model again") from error
    if place != len(data):
        raise HostError(f"{origin}: damaged: {len(data):,} bytes, where its head tells of {place:,}")
    return segment


def _tensor_head(tensor: HostTensor) -> list[Any]:
    return [tensor.name, list(tensor.shape), tensor.dtype.value]


def _node_head(node: HostNode) -> list[Any]:
    attributes = {name: list(_attribute_head(value)) for name, value in node.attributes.items()}
    return [node.op, list(node.inputs), list(node.outputs), attributes, node.source]


def _attribute_head(value: AttributeValue) -> Iterator[Any]:
    """Kind, then value; a list as its kind in the plural. An empty list counts as integers."""
    if isinstance(value, tuple):
        kind = _KINDS[type(value[0])] if value else "int"
        yield f"{kind}s"
        yield [_written(item) for item in value]
    else:
        yield _KINDS[type(value)]
        yield _written(value)


def _written(value: float | str) -> int | str:
    return value.hex() if isinstance(value, float) else value


def _stored(value: Array) -> bytes:
    return np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"), copy=False).tobytes()


def _head(data: bytes, origin: str) -> tuple[dict[str, Any], int]:
    """The head, and where it ends."""
    if len(data) < _FRONT.size or not data.startswith(MAGIC):
        raise HostError(f"{origin}: no host segment: it does not start with {MAGIC.decode()}")
    _, version, length = _FRONT.unpack_from(data)
    if version > VERSION:
        raise HostError(
            f"{origin}: version {version} is newer than {VERSION}, the newest that this release reads",
            hint="update sima-nb",
        )
    place = _FRONT.size + length
    if length > MOST_HEAD_BYTES or place > len(data):
        raise HostError(f"{origin}: damaged: a head of {length:,} bytes in {len(data):,}")
    try:
        head = json.loads(data[_FRONT.size : place].decode())
    except (ValueError, RecursionError) as error:
        raise HostError(f"{origin}: damaged: its head is no JSON: {error}") from error
    if not isinstance(head, dict):
        raise HostError(f"{origin}: damaged: its head is no object")
    return cast("dict[str, Any]", head), place


def _constant(data: bytes, place: int, tensor: HostTensor) -> Array:
    if place + tensor.bytes > len(data):
        raise ValueError(f"constant {tensor.name!r} of {tensor.bytes:,} bytes lies outside of the file")
    stored = np.frombuffer(data, tensor.dtype.numpy.newbyteorder("<"), tensor.size, place)
    if tensor.dtype is Dtype.BOOL and np.any(stored.view(np.uint8) > 1):
        raise ValueError(f"constant {tensor.name!r} holds booleans other than 0 and 1")
    return stored.astype(tensor.dtype.numpy).reshape(tensor.shape)


def _tensor(fields: Any) -> HostTensor:
    name, shape, dtype = fields
    return HostTensor(_text(name), tuple(map(_size, _list(shape))), Dtype(_text(dtype)))


def _node(fields: Any) -> HostNode:
    op, inputs, outputs, attributes, source = fields
    if not isinstance(attributes, dict):
        raise TypeError("attributes of a node are no object")
    return HostNode(
        op=_text(op),
        inputs=tuple(map(_text, _list(inputs))),
        outputs=tuple(map(_text, _list(outputs))),
        attributes={name: _attribute(*value) for name, value in sorted(attributes.items())},
        source=_text(source),
    )


def _attribute(kind: str, value: Any) -> AttributeValue:
    match kind:
        case "int":
            return _integer(value)
        case "float":
            return float.fromhex(value)
        case "text":
            return _text(value)
        case "ints":
            return tuple(map(_integer, _list(value)))
        case "floats":
            return tuple(map(float.fromhex, _list(value)))
        case "texts":
            return tuple(map(_text, _list(value)))
        case _:
            raise ValueError(f"attribute of the kind {kind!r}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where a text is wanted")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 63:
        raise TypeError(f"{value!r} where an integer is wanted")
    return value


def _size(value: Any) -> int:
    if _integer(value) < 0:
        raise ValueError(f"a size of {value}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} where a list is wanted")
    return cast("list[Any]", value)
