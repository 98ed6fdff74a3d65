"""``simac quantize``: a float ONNX model and calibration data become a ``.sima`` file."""

from __future__ import annotations

import argparse
from pathlib import Path

from sima_compiler.arguments import add_model_arguments, add_output_argument, add_report_arguments
from sima_compiler.cli.command import Command, Output, Warnings, say
from sima_compiler.cli.layout import size
from sima_compiler.cli.progress import progress_bar
from sima_compiler.folders import check_output_folder
from sima_compiler.sources import model_from_arguments


def prepare(parser: argparse.ArgumentParser) -> None:
    """The options of ``simac quantize``."""
    add_model_arguments(parser)
    add_output_argument(parser)
    add_report_arguments(parser)


def run(arguments: argparse.Namespace) -> Output:
    """Quantize and save; JSON: ``path``, ``name``, ``bytes``, ``warnings``."""
    warnings = Warnings()
    with progress_bar() as progress:
        model = model_from_arguments(arguments, warnings, progress)
    for sentence in model.graph.warnings:
        warnings(sentence)
    name = arguments.name or Path(arguments.model).stem
    folder = Path(arguments.output_path).expanduser()
    is_new = check_output_folder(folder)
    path = model.save(name, folder)
    written = path.stat().st_size
    if is_new:
        say(f"created the folder {folder}")
    data = {"path": str(path), "name": name, "bytes": written, "warnings": warnings.sentences}
    return Output(data, f"{path}  {size(written)}")


COMMAND = Command(
    "quantize",
    "quantize a float ONNX model to a .sima file",
    "  simac quantize resnet50.onnx --calibration samples.npz -o models\n"
    "  simac quantize resnet50.onnx --calibration-random 8 --name trial -o models",
    prepare,
    run,
)
