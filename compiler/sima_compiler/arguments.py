"""The options of a compile, defined once for the command line and for the notebook's magic.

In: an `argparse` parser, or the namespace that it parsed. Out: the parser with the options; keywords for
`Model.compile`. Always holds: what ``simac compile`` takes, ``%sima_compile`` takes too, under the same names.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
from collections.abc import Generator
from pathlib import Path
from typing import Any

from sima_compiler.screen import printable_lines


def add_compile_arguments(parser: argparse.ArgumentParser) -> None:
    """Every option of a compile, the model included."""
    add_model_arguments(parser)
    add_output_argument(parser)
    add_planning_arguments(parser)
    parser.add_argument("--html", default=None, metavar="FILE", help="write a report that opens offline in any browser")
    add_report_arguments(parser)


def add_planning_arguments(parser: argparse.ArgumentParser) -> None:
    """What is planned for: batch, compression, machine, and whether to plan what would help."""
    parser.add_argument(
        "--batch-size",
        type=int,
        default=1,
        metavar="N",
        help="largest batch wanted; the biggest one up to it that pays off is built (default: 1)",
    )
    parser.add_argument("--no-compress", action="store_true", help="store the weights raw in the .lm")
    parser.add_argument("--quads", type=int, default=None, metavar="N", help="quads of the MLA to use (default: all)")
    parser.add_argument(
        "--machine", default="mlsoc", metavar="NAME|FILE", help="bundled machine or a YAML file (default: mlsoc)"
    )
    parser.add_argument(
        "--exact", action="store_true", help="place on-chip buffers with OR-Tools: slower (needs the extra [exact])"
    )
    parser.add_argument(
        "--levers", action="store_true", help="plan what would help the batch size too: one more planning for each"
    )


def add_model_arguments(
    parser: argparse.ArgumentParser,
    *,
    metavar: str = "MODEL",
    accepts: str = ".sima file, quantized .onnx, or float .onnx with calibration",
) -> None:
    """The model, how to calibrate it when it is a float one, and its name."""
    parser.add_argument("model", metavar=metavar, help=accepts)
    add_calibration_arguments(parser)
    _add_input_shape(parser)
    add_ending_arguments(parser)
    parser.add_argument("--name", default=None, metavar="NAME", help="name of the compiled model (default: the file's)")


def add_calibration_arguments(parser: argparse.ArgumentParser) -> None:
    """Samples for a float model: given, or drawn."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--calibration",
        default=None,
        metavar="FILE.npz",
        help="an array per model input; the first axis counts samples",
    )
    source.add_argument(
        "--calibration-random",
        type=int,
        default=None,
        metavar="SAMPLES",
        help="calibrate with that many random samples: for trying things out, accuracy is meaningless",
    )


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    """``simac check``: the model, and sizes that it leaves open."""
    parser.add_argument("model", metavar="MODEL", help=".sima file, or .onnx: quantized, float or neither")
    _add_input_shape(parser)
    add_ending_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    """``simac verify``: the model, how to calibrate a float one, and the samples to compare on."""
    add_model_arguments(parser)
    parser.add_argument(
        "--input", default=None, metavar="FILE.npz", help="samples: an array per model input, a sample per row"
    )
    parser.add_argument(
        "--samples", type=int, default=2, metavar="N", help="samples to draw without --input (default: 2)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of drawn samples (default: 0)")
    parser.add_argument("--batch-size", type=int, default=1, metavar="N", help="largest batch to build (default: 1)")
    parser.add_argument("--layers", action="store_true", help="rank layers by error and by saturation too")
    add_report_arguments(parser)


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """``simac export``: the model, the file, and the type of its activations."""
    add_model_arguments(parser)
    parser.add_argument(
        "-o",
        "--output-path",
        default=None,
        metavar="FILE.onnx",
        help="the file, or a folder for NAME_int8.onnx or NAME_uint8.onnx (default: the current folder)",
    )
    parser.add_argument(
        "--uint8",
        action="store_true",
        help="uint8 activations: the form that onnxruntime computes with integers throughout",
    )
    add_report_arguments(parser)


def add_ending_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the network ends."""
    parser.add_argument(
        "--cut-at",
        action="append",
        default=None,
        metavar="TENSOR",
        help="end the network at this tensor of the file; for several ends, several times",
    )
    parser.add_argument(
        "--mla-only",
        action="store_true",
        help="end at the last tensors of the MLA: layers of the A65 behind them are left to the host",
    )


def ending_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Keywords of `Model.from_onnx` and `quantize` that say where the network ends."""
    cuts = tuple(getattr(arguments, "cut_at", None) or ())
    mla_only = bool(getattr(arguments, "mla_only", False))
    return ({"cut_at": cuts} if cuts else {}) | ({"mla_only": True} if mla_only else {})


def _add_input_shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input-shape",
        action="append",
        default=None,
        metavar="NAME=1x3x320x320",
        help="shape of an input of which the file leaves sizes open (the first size is the batch and stays free); "
        "for several inputs, several times",
    )


def add_output_argument(parser: argparse.ArgumentParser) -> None:
    """``-o``: the folder that takes the result."""
    parser.add_argument(
        "-o",
        "--output-path",
        default=".",
        metavar="DIR",
        help="folder for the result; its last part is created if its parent exists (default: the current one)",
    )


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """``--json`` and ``-v``: how to say what was done."""
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("-v", "--verbose", action="store_true", help="log every stage with its time")


def compile_keywords(arguments: argparse.Namespace) -> dict[str, Any]:
    """Keywords of `Model.compile`: folder, batch size, compression; machine, quads and exact where they were named."""
    keywords: dict[str, Any] = {
        "output_path": str(Path(arguments.output_path).expanduser()),
        "batch_size": arguments.batch_size,
        "compress": not arguments.no_compress,
    }
    if arguments.quads is not None:
        keywords["quads"] = arguments.quads
    if arguments.machine != "mlsoc":
        keywords["machine"] = arguments.machine
    for switch in ("exact", "levers"):
        if getattr(arguments, switch):
            keywords[switch] = True
    return keywords


@contextlib.contextmanager
def logging_from_arguments(arguments: argparse.Namespace) -> Generator[None]:
    """With ``-v`` the library's log stands on stderr for as long as the block runs."""
    if not getattr(arguments, "verbose", False):
        yield
        return
    logger = logging.getLogger("sima_compiler")
    handler = logging.StreamHandler()
    handler.setFormatter(_PrintableFormatter("%(levelname)s %(name)s: %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _PrintableFormatter(logging.Formatter):
    """A log quotes names out of files, which must not reach a terminal as they are."""

    def format(self, record: logging.LogRecord) -> str:
        """The formatted record without escape codes."""
        return printable_lines(super().format(record))
