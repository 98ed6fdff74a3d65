"""``%sima_batch`` and ``%sima_compare``: how large the batch became and why, and what a change has changed.

In: a line. Out: a widget, which shows itself. With ``--json`` the same object that ``simac`` prints stands on stdout.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from IPython.core.magic import line_magic, magics_class, needs_local_scope

from sima_compiler import Archive, Model, add_compile_arguments, logging_from_arguments
from sima_compiler.cli import subcommand
from sima_nb.display import Summary, in_terminal
from sima_nb.magic_parser import Twin, plain_errors
from sima_nb.session import compile_model, is_onnx_model, path_of, resolve_calibration, resolve_source
from sima_nb.showing import NamingMagics, printed, shown
from sima_nb.widgets.batch import BatchNegotiation
from sima_nb.widgets.comparison import Comparison

_ARCHIVES = (".tar.gz", ".tgz")
_MODELS = (".sima", ".onnx")

BATCH = Twin.of_command(
    "batch",
    """Show the batch sizes that were weighed, why this one was built, and what would help.

ARCHIVE_OR_MODEL is a path, or the name of a variable that holds a path, an Archive, what a compile returned, a Model or
an onnx.ModelProto. A model is planned and not built, until you choose a size in the view and compile it there.

    %sima_batch r
    b = %sima_batch resnet50.sima --batch-size 32 --levers
    b.view.batch.sentence, b.result
""",
    of="batch",
    suffixes=(*_ARCHIVES, *_MODELS),
)
COMPARE = Twin.of_command(
    "compare",
    """Compare two archives or statistics files layer by layer.

BEFORE and AFTER are paths, or names of variables that hold a path, an Archive, an MlaStats or what a compile returned.

    %sima_compare old/resnet50_mpk.tar.gz new/resnet50_mpk.tar.gz
    c = %sima_compare before after --over 5
    c.changes.layer_change, c.changes.over(5)
""",
    of="compare",
    suffixes=(".yaml", ".yml", *_ARCHIVES),
)
TWINS = (BATCH, COMPARE)


@magics_class
class BatchMagics(NamingMagics):
    """The magics about choices: batch sizes, and one build or another."""

    @needs_local_scope
    @line_magic
    def sima_batch(self, line: str, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Show the negotiation of the batch size; the text that ``?`` shows is set below."""
        arguments = BATCH.arguments(line)
        if arguments is None:
            return None
        with plain_errors(), logging_from_arguments(arguments):
            names = self.names(local_ns)
            source = resolve_source(arguments.model, names)
            arguments.calibration = resolve_calibration(arguments.calibration, names)
            if _is_model(source):
                return _planned(source, arguments)
            arguments.model = path_of(source)
            return shown("batch", arguments, lambda: BatchNegotiation(source))

    @needs_local_scope
    @line_magic
    def sima_compare(self, line: str, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Compare two archives or statistics files; the text that ``?`` shows is set below."""
        arguments = COMPARE.arguments(line)
        if arguments is None:
            return None
        with plain_errors(), logging_from_arguments(arguments):
            names = self.names(local_ns)
            before, after = (resolve_source(text, names) for text in (arguments.before, arguments.after))
            if not arguments.json:
                return Comparison(before, after, over=arguments.over or 0.0)
            arguments.before, arguments.after = path_of(before), path_of(after)
            return printed(subcommand("compare").run(arguments).data)


def _is_model(source: Any) -> bool:
    if isinstance(source, str | Path):
        return Path(source).suffix.lower() in _MODELS
    return not isinstance(source, Archive) and (isinstance(source, Model) or is_onnx_model(source))


def _planned(source: Any, arguments: argparse.Namespace) -> Any:
    """The negotiation of a model that is not built; the view offers to build it at a chosen size."""
    arguments.model = source.to_onnx() if isinstance(source, Model) else source
    output = subcommand("batch").run(arguments)
    if arguments.json:
        return printed(output.data)
    made = BatchNegotiation(output.value, recompile=_compiler(source, arguments))
    if in_terminal():
        made.with_text(output.text)
    return made


def _compiler(source: Any, arguments: argparse.Namespace) -> Callable[[int], Summary]:
    """Compiles the model into the notebook's folder with the options of the negotiation."""
    parser = argparse.ArgumentParser()
    add_compile_arguments(parser)
    options = {**vars(parser.parse_args(["model"])), **vars(arguments), "model": "the model", "json": False}

    def compiled(size: int) -> Summary:
        return compile_model(source, argparse.Namespace(**{**options, "batch_size": size}))

    return compiled


for twin in TWINS:
    getattr(BatchMagics, f"sima_{twin.name}").__doc__ = twin.help_text()
