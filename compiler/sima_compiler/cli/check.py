"""``simac check``: every obstacle between a model and its archive, at once and without compiling."""

from __future__ import annotations

import argparse

from sima_compiler.arguments import add_check_arguments
from sima_compiler.cli.command import Command, Output
from sima_compiler.sources import check_from_arguments


def run(arguments: argparse.Namespace) -> Output:
    """Check; JSON: path, kind, compiles, verdict, nodes, macs, obstacles, left_to_host, warnings.

    Where there is an obstacle ``error`` stands beside them, and the exit code is 1.
    """
    report = check_from_arguments(arguments)
    return Output(report.to_dict(), repr(report), problem="" if report.compiles else report.verdict)


COMMAND = Command(
    "check",
    "list everything that keeps a model from compiling",
    "  simac check resnet50.onnx\n  simac check detector.onnx --input-shape images=1x3x320x320 --json",
    add_check_arguments,
    run,
)
