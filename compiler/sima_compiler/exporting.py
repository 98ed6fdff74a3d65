"""A compiled model's network as an ONNX file that other tools open.

In: a `Model` and a path. Out: the file and an `ExportResult`. Always: onnx's checker and onnxruntime have accepted what
is written; the file that the model was read from is never overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sima_compiler.errors import InternalError, ModelError, OutputError
from sima_compiler.files.whole import check_name, write_whole
from sima_compiler.folders import check_output_folder, output_folder
from sima_compiler.frontend.original import check_runs
from sima_compiler.model import Model
from sima_compiler.view import plain, units
from sima_compiler.view.html import plain as markup

SUFFIX = ".onnx"


@dataclass(frozen=True, slots=True, repr=False)
class ExportResult:
    """What was written: ``form`` is int8 or uint8, the type of the activations; ``bytes`` the file's size."""

    path: Path
    form: str
    bytes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    left_to_host: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The keys that ``simac export --json`` prints."""
        return {
            "path": str(self.path),
            "form": self.form,
            "bytes": self.bytes,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "left_to_host": list(self.left_to_host),
        }

    def __repr__(self) -> str:
        return plain.pairs(self._rows())

    def _repr_html_(self) -> str:
        return markup.report("export", markup.pairs("Export", self._rows()))

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("file", f"{self.path}  {units.size(self.bytes)}"),
            ("activations", self.form),
            ("inputs", ", ".join(self.inputs)),
            ("outputs", ", ".join(self.outputs)),
            *(("left to host", operator) for operator in self.left_to_host),
        ]


def export_model(model: Model, target: str | Path | None = None, *, uint8: bool = False) -> ExportResult:
    """Write the network as QDQ ONNX: float32 in and out, any batch.

    ``target``: a file, or a folder to write ``<name>_int8.onnx`` or ``<name>_uint8.onnx`` into; the current folder
    without it. ``uint8``: activations as onnxruntime computes them with integers throughout.

    Raises:
        OutputError: the path is no ``.onnx`` file, is the model's own file, or cannot be written.
    """
    path = target_path(model, target, uint8=uint8)
    proto = model.to_onnx(uint8=uint8)
    try:
        check_runs(proto)
    except ModelError as error:
        raise InternalError(f"the exported network does not run: {error.message}") from error
    data = proto.SerializeToString(deterministic=True)
    with output_folder(path.parent):
        write_whole(path, data)
    form = "uint8" if uint8 else "int8"
    return ExportResult(
        path=path,
        form=form,
        bytes=len(data),
        inputs=tuple(model.inputs),
        outputs=tuple(model.outputs),
        left_to_host=model.network.cut,
    )


def target_path(model: Model, target: str | Path | None, *, uint8: bool) -> Path:
    """Where the file goes, checked before any work.

    Raises:
        OutputError: as for `export_model`.
    """
    path = Path("." if target is None else target).expanduser()
    if path.is_dir():
        path = path / f"{model.name}_{'uint8' if uint8 else 'int8'}{SUFFIX}"
    if path.suffix.lower() != SUFFIX:
        raise OutputError(f"{path}: expected a name that ends in {SUFFIX}", hint=f"-o {path}{SUFFIX}")
    check_output_folder(path.parent)
    check_name(path)
    if model.source and path.exists() and Path(model.source).exists() and path.samefile(model.source):
        raise OutputError(f"{path}: is the model's own file", hint="name another one with -o")
    return path
