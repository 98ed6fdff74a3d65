"""ONNX files and bytes as `ModelProto`, and what can be said about a model before it is read.

In: a path, bytes or a `ModelProto`. Out: a `ModelProto`. Always: whatever is wrong with the file is a `ModelError`.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.external import load_external_data
from sima_compiler.frontend.constants.names import check_text

#: What the rest of the package calls a parsed ONNX file, so that only the frontend needs to import onnx.
OnnxModel = onnx.ModelProto

#: Node types that only a quantized model has.
QUANTIZED_OPERATORS = frozenset({"QuantizeLinear", "DequantizeLinear", "QGemm", "ConvInteger", "MatMulInteger"})


def load_onnx(source: str | Path | onnx.ModelProto) -> onnx.ModelProto:
    """The model, read from a file or passed through; external data is loaded.

    Raises:
        ModelError: the file is missing, unreadable, not ONNX, or truncated.
    """
    if isinstance(source, onnx.ModelProto):
        check_text(source)
        return source
    path = Path(source)
    try:
        if not path.is_file():
            raise ModelError(f"{path}: no such file", hint="give the path of an .onnx or .sima file")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    model = parse_onnx(data, str(path))
    load_external_data(model, path.parent, str(path))
    return model


def first_bytes(path: Path, count: int = 512) -> bytes:
    """The start of a file, empty where there is nothing to read: whoever reads on gives the reason."""
    try:
        with path.open("rb") as stream:
            return stream.read(count)
    except OSError:
        return b""


def parse_onnx(data: bytes, origin: str) -> onnx.ModelProto:
    """The model in ``data``; ``origin`` names it in messages.

    Raises:
        ModelError: not ONNX, or truncated.
    """
    hint = "the file is damaged, truncated, or of another kind"
    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{origin}: not an ONNX model ({len(data)} bytes that do not parse)", hint=hint) from error
    check_text(model)
    if not model.graph.node or not model.graph.output or not model.opset_import:
        raise ModelError(f"{origin}: not an ONNX model (it has no nodes, outputs or operator set)", hint=hint)
    return model


def default_opset(model: onnx.ModelProto) -> int:
    """Version of the standard operators."""
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)


def is_quantized(model: onnx.ModelProto) -> bool:
    """Whether any node quantizes."""
    return any(node.op_type in QUANTIZED_OPERATORS or node.op_type.startswith("QLinear") for node in model.graph.node)
