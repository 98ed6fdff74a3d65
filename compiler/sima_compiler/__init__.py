"""A compiler for an openly documented model of the SiMa MLSoC's machine learning accelerator.

::

    from sima_compiler import Archive, Model, quantize, simulate

    model = quantize("resnet50.onnx", calibration_data)  # or Model.from_onnx, Model.load
    result = model.compile(output_path="out", batch_size=16)
    run = simulate(Archive.open(result.path), {"input": x})

Everything here loads on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sima_compiler.version import __version__

if TYPE_CHECKING:
    from sima_compiler.archive.gunzip import Limits
    from sima_compiler.archive.reader import Archive
    from sima_compiler.archive.stats import MlaStats
    from sima_compiler.arguments import (
        add_check_arguments,
        add_compile_arguments,
        add_export_arguments,
        add_verify_arguments,
        compile_keywords,
        logging_from_arguments,
    )
    from sima_compiler.compilation import CompileResult
    from sima_compiler.errors import (
        ArchiveError,
        CalibrationError,
        CompileInterrupted,
        DoesNotFitError,
        ExecutionError,
        ForeignModelError,
        HostError,
        InputError,
        InternalError,
        InvalidArchiveError,
        LmError,
        MachineError,
        MissingExtraError,
        ModelError,
        OptionError,
        OutputError,
        PathTraversalError,
        SchemaError,
        SimaError,
        SizeLimitError,
        UnsupportedError,
        UnsupportedExtensionError,
        UnsupportedVersionError,
    )
    from sima_compiler.exporting import ExportResult
    from sima_compiler.files.whole import write_whole
    from sima_compiler.folders import output_folder
    from sima_compiler.machine.description import Machine
    from sima_compiler.model import Model, quantize
    from sima_compiler.obstacle import Obstacle
    from sima_compiler.options import L2CachingMode, TensorDRAMLayout, TensorTessellateParameters
    from sima_compiler.progress import Progress
    from sima_compiler.screen import printable
    from sima_compiler.simulation import simulate
    from sima_compiler.sources import (
        check_from_arguments,
        export_from_arguments,
        model_from_arguments,
        verify_from_arguments,
    )
    from sima_compiler.sweeping.running import sweep
    from sima_compiler.verification import verify
    from sima_compiler.view.check import CheckReport
    from sima_compiler.view.sweep import SweepTable
    from sima_compiler.view.verify import VerifyReport

#: Public name -> module that defines it.
_HOMES: dict[str, str] = {
    "Archive": "archive.reader",
    "CheckReport": "view.check",
    "CompileResult": "compilation",
    "ExportResult": "exporting",
    "L2CachingMode": "options",
    "Limits": "archive.gunzip",
    "Machine": "machine.description",
    "MlaStats": "archive.stats",
    "Model": "model",
    "Obstacle": "obstacle",
    "Progress": "progress",
    "TensorDRAMLayout": "options",
    "TensorTessellateParameters": "options",
    "add_check_arguments": "arguments",
    "VerifyReport": "view.verify",
    "add_compile_arguments": "arguments",
    "add_export_arguments": "arguments",
    "add_verify_arguments": "arguments",
    "export_from_arguments": "sources",
    "verify": "verification",
    "verify_from_arguments": "sources",
    "check_from_arguments": "sources",
    "compile_keywords": "arguments",
    "logging_from_arguments": "arguments",
    "model_from_arguments": "sources",
    "output_folder": "folders",
    "write_whole": "files.whole",
    "printable": "screen",
    "quantize": "model",
    "simulate": "simulation",
    "sweep": "sweeping.running",
    "SweepTable": "view.sweep",
    "ArchiveError": "errors",
    "CalibrationError": "errors",
    "CompileInterrupted": "errors",
    "DoesNotFitError": "errors",
    "ExecutionError": "errors",
    "ForeignModelError": "errors",
    "HostError": "errors",
    "InputError": "errors",
    "InternalError": "errors",
    "InvalidArchiveError": "errors",
    "LmError": "errors",
    "MachineError": "errors",
    "MissingExtraError": "errors",
    "ModelError": "errors",
    "OptionError": "errors",
    "OutputError": "errors",
    "PathTraversalError": "errors",
    "SchemaError": "errors",
    "SimaError": "errors",
    "SizeLimitError": "errors",
    "UnsupportedError": "errors",
    "UnsupportedExtensionError": "errors",
    "UnsupportedVersionError": "errors",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "Archive",
    "ArchiveError",
    "CalibrationError",
    "CheckReport",
    "CompileInterrupted",
    "CompileResult",
    "DoesNotFitError",
    "ExecutionError",
    "ExportResult",
    "ForeignModelError",
    "HostError",
    "InputError",
    "InternalError",
    "InvalidArchiveError",
    "L2CachingMode",
    "Limits",
    "LmError",
    "Machine",
    "MachineError",
    "MissingExtraError",
    "MlaStats",
    "Model",
    "ModelError",
    "Obstacle",
    "OptionError",
    "OutputError",
    "PathTraversalError",
    "Progress",
    "SchemaError",
    "SimaError",
    "SizeLimitError",
    "SweepTable",
    "TensorDRAMLayout",
    "TensorTessellateParameters",
    "UnsupportedError",
    "UnsupportedExtensionError",
    "UnsupportedVersionError",
    "VerifyReport",
    "__version__",
    "add_check_arguments",
    "add_compile_arguments",
    "add_export_arguments",
    "add_verify_arguments",
    "check_from_arguments",
    "compile_keywords",
    "export_from_arguments",
    "logging_from_arguments",
    "model_from_arguments",
    "output_folder",
    "printable",
    "quantize",
    "simulate",
    "sweep",
    "verify",
    "verify_from_arguments",
    "write_whole",
]
