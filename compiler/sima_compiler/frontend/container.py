"""The ``.sima`` file: a standard ONNX file (QDQ, int8) with ``sima.*`` entries in its metadata.

In and out: a QDQ `ModelProto`, a name, a source. Always: nothing is unpickled, a file appears whole or not at all, and
the vendor's own container, which shares the suffix, is told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx

from sima_compiler.errors import ForeignModelError, ModelError
from sima_compiler.files.whole import write_whole
from sima_compiler.folders import output_folder
from sima_compiler.frontend.loading import parse_onnx

#: Suffix of a saved model.
SUFFIX = ".sima"
#: Version of the metadata; another major version is refused.
FORMAT_VERSION = "1.0"
PREFIX = "sima."
#: What reading the source had to warn about (a JSON list), so that compiling the saved model says it too.
WARNINGS_KEY = f"{PREFIX}warnings"

#: First bytes of files that are certainly not ONNX: zip, gzip, pickle protocols, HDF5, tar (by its own check).
FOREIGN_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip file"),
    (b"PK\x05\x06", "an empty zip file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"\x89HDF", "an HDF5 file"),
)


@dataclass(frozen=True, slots=True)
class SavedModel:
    """What a ``.sima`` file holds."""

    model: onnx.ModelProto
    name: str
    source: str


def write_sima(model: onnx.ModelProto, name: str, source: str, folder: Path) -> Path:
    """Write ``folder/name.sima`` and return its path; the folder is created when its parent exists.

    Raises:
        OutputError: the folder or the file cannot be written; nothing half-written is left.
    """
    labelled = _without_labels(model)
    for key, value in (("format_version", FORMAT_VERSION), ("name", name), ("source", source)):
        labelled.metadata_props.add(key=PREFIX + key, value=value)
    path = folder / f"{name}{SUFFIX}"
    with output_folder(folder):
        write_whole(path, labelled.SerializeToString(deterministic=True))
    return path


def network_bytes(model: onnx.ModelProto) -> bytes:
    """The network alone: the same bytes whether it was read from the user's file or from a ``.sima`` file of it."""
    return _without_labels(model).SerializeToString(deterministic=True)


def _without_labels(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without what says where it came from; what reading had to warn about stays."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    kept = [entry for entry in model.metadata_props if entry.key == WARNINGS_KEY or not entry.key.startswith(PREFIX)]
    del bare.metadata_props[:]
    bare.metadata_props.extend(kept)
    return bare


def read_sima(path: Path) -> SavedModel:
    """Read a ``.sima`` file.

    Raises:
        ForeignModelError: the vendor SDK's container.
        ModelError: missing, damaged, not ONNX, or of a newer major format version.
    """
    try:
        if not path.is_file():
            hint = "give the name and the folder that the model was saved under"
            raise ModelError(f"{path}: no such file", hint=hint)
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    refuse_foreign(data, str(path))
    model = parse_onnx(data, str(path))
    entries = {entry.key: entry.value for entry in model.metadata_props}
    version = entries.get(f"{PREFIX}format_version", "")
    if not version:
        return SavedModel(model, path.stem, str(path))
    _check_version(version, path)
    return SavedModel(model, entries.get(f"{PREFIX}name") or path.stem, entries.get(f"{PREFIX}source", ""))


def refuse_foreign(data: bytes, origin: str) -> None:
    """Refuse the vendor SDK's container by its first bytes.

    Raises:
        ForeignModelError: the bytes are a zip, gzip, pickle or HDF5 file, or a tar archive.
    """
    kinds = [kind for magic, kind in FOREIGN_MAGIC if data.startswith(magic)]
    kinds += ["a tar archive"] if data[257:262] == b"ustar" else []
    if kinds:
        raise ForeignModelError(
            f"{origin}: {kinds[0]}, not ONNX: this looks like a model saved by the vendor's SDK, which uses another "
            "container under the same suffix",
            hint="quantize the float ONNX model with sima_compiler.quantize, or load a quantized ONNX file",
        )


def _check_version(version: str, path: Path) -> None:
    major = version.partition(".")[0]
    known = FORMAT_VERSION.partition(".")[0]
    if not major.isdigit() or int(major) > int(known):
        raise ModelError(
            f"{path}: format version {version!r} is newer than {FORMAT_VERSION}, the newest that this release reads",
            hint="update sima-nb",
        )
