"""Views on their way to the browser: one JSON head, then columns as bytes.

In: documents and comparisons. Out: bytes. A parcel: four bytes with the length of the head (little-endian), the head
as JSON in UTF-8, zeros up to a multiple of 8, then the buffers of ``parts`` one after another, each at its ``offset``
behind those zeros and ``length`` long. A part's ``file`` is the head that `sima_compiler.view.to_binary` gives.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from sima_compiler.view import Comparison, View, to_binary
from sima_nb.server.opening import Opened

_ALIGNMENT = 8


def document_parcel(opened: Opened) -> bytes:
    """A document; ``parts`` has its View, or is empty for models and files of other kinds."""
    document = opened.document
    head = {
        "kind": document.kind,
        "identity": opened.identity,
        "sentence": document.sentence,
        "hint": document.hint,
    }
    return _packed(head, [document.view] if document.view is not None else [])


def comparison_parcel(comparison: Comparison, identities: Sequence[str]) -> bytes:
    """Two Views, and what was decided about them: which rows belong together, totals, files."""
    head = {
        "kind": "comparison",
        "identity": " ".join(identities),
        "compared": comparison.to_browser(),
    }
    return _packed(head, [comparison.before, comparison.after])


def _packed(head: Mapping[str, Any], views: Sequence[View]) -> bytes:
    buffers, parts = bytearray(), list[dict[str, Any]]()
    for view in views:
        file, columns = to_binary(view)
        buffers.extend(bytes(-len(buffers) % _ALIGNMENT))
        parts.append({"file": file, "offset": len(buffers), "length": len(columns)})
        buffers.extend(columns)
    text = json.dumps({**head, "parts": parts}, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    start = struct.pack("<I", len(text)) + text
    return b"".join([start, bytes(-len(start) % _ALIGNMENT), buffers])
