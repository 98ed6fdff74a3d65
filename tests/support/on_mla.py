"""What the MLA takes, apart from what the A65 would take in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from sima_compiler import Model
from sima_compiler.frontend.canonical import canonical
from sima_compiler.frontend.loading import load_onnx
from sima_compiler.frontend.onnx_qdq import read_onnx


def on_mla(source: str | Path | onnx.ModelProto, *names: Any, **options: Any) -> Model:
    """`Model.from_onnx` of a network that the MLA runs alone.

    Raises:
        ModelError: as the reader says it of the MLA; UnsupportedError names node, operator and rule.
    """
    read_onnx(canonical(load_onnx(source)), "net", str(names[0]) if names else "net")
    return Model.from_onnx(source, *names, **options)
