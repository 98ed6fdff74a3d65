"""``simac export``: the quantized network as an ONNX file that onnxruntime runs and Netron opens."""

from __future__ import annotations

import argparse

from sima_compiler.arguments import add_export_arguments
from sima_compiler.cli.command import Command, Output, Warnings
from sima_compiler.sources import export_from_arguments


def run(arguments: argparse.Namespace) -> Output:
    """Export; JSON: path, form, bytes, inputs, outputs, left_to_host, warnings."""
    warnings = Warnings()
    result = export_from_arguments(arguments, warnings)
    return Output({**result.to_dict(), "warnings": warnings.sentences}, repr(result))


COMMAND = Command(
    "export",
    "write the quantized network as an ONNX file for other tools",
    "  simac export resnet50.sima -o resnet50_int8.onnx\n  simac export resnet50.sima -o resnet50_uint8.onnx --uint8",
    add_export_arguments,
    run,
)
