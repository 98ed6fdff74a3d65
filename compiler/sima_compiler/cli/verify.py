"""``simac verify``: the simulated archive beside the user's own file in onnxruntime."""

from __future__ import annotations

import argparse

from sima_compiler.arguments import add_verify_arguments
from sima_compiler.cli.command import Command, Output, Warnings
from sima_compiler.sources import verify_from_arguments


def run(arguments: argparse.Namespace) -> Output:
    """Verify; JSON: path, exact, agrees, verdict, samples, actual_batch_size, int8_activations, forms, listed, layers,
    warnings.

    Where more differs than the list of operators allows, ``error`` stands beside them, and the exit code is 1.
    """
    report = verify_from_arguments(arguments, Warnings())
    return Output(report.to_dict(), repr(report), problem="" if report.agrees else report.verdict)


COMMAND = Command(
    "verify",
    "compare the simulated archive with your file in onnxruntime",
    "  simac verify resnet50_qdq.onnx\n"
    "  simac verify resnet50.onnx --calibration samples.npz --input images.npz --layers --json",
    add_verify_arguments,
    run,
)
