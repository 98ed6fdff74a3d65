"""``%sima_compile``: parse, call, display; the options are the command line's own.

In: a line. Out: a `Summary`, shown with progress before it. An error of the compiler is shown as its message and hint,
without a traceback, and stops "Run All"; so does an interruption.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from IPython.core.magic import Magics, line_magic, magics_class, needs_local_scope

from sima_compiler import add_compile_arguments, logging_from_arguments
from sima_nb.display import Summary
from sima_nb.magic_parser import Twin, is_quiet, plain_errors
from sima_nb.progress import ProgressDisplay
from sima_nb.session import as_shown, compile_model, resolve_calibration, resolve_model

_INTRODUCTION = """Compile a model and show what came of it: batch size, cycles, Gantt chart, archive.

MODEL is a path (.sima, quantized .onnx, or float .onnx with a calibration option) or the name of a variable that
holds a path, a Model, an onnx.ModelProto, or any object with compile(output_path=..., batch_size=...). The name after
--calibration may be a variable too: a list of {input name: array}, or a CalibrationDataReader.

    %sima_compile resnet50.sima --batch-size 16 -o out
    r = %sima_compile resnet50.onnx --calibration-random 8
    r.actual_batch_size, r.stall_cycles, r.gantt()
"""


COMPILE = Twin("compile", _INTRODUCTION, add_compile_arguments, (".onnx", ".sima"))


@magics_class
class SimaMagics(Magics):
    """The magics of sima_nb."""

    @needs_local_scope
    @line_magic
    def sima_compile(self, line: str, local_ns: Mapping[str, Any] | None = None) -> Summary | None:
        """Compile a model and show what came of it; the text that ``?`` shows is set below."""
        arguments = COMPILE.arguments(line)
        if arguments is None:
            return None
        with plain_errors():
            return self._compile(arguments, local_ns or {}, quiet=is_quiet(line))

    def _compile(self, arguments: argparse.Namespace, local_names: Mapping[str, Any], *, quiet: bool) -> Summary | None:
        assert self.shell is not None, "a magic runs in a shell"
        namespace = {**self.shell.user_ns, **local_names}
        model = resolve_model(arguments.model, namespace)
        arguments.calibration = resolve_calibration(arguments.calibration, namespace)
        folder = Path(arguments.output_path).expanduser()
        is_new = not folder.exists()
        with logging_from_arguments(arguments), ProgressDisplay(f"Compiling {arguments.model}") as progress:
            summary = compile_model(model, arguments, progress)
        if is_new:
            (sys.stderr if arguments.json else sys.stdout).write(f"created the folder {folder}\n")
        if arguments.json:
            sys.stdout.write(json.dumps(summary.to_dict(), ensure_ascii=False) + "\n")
        elif not quiet:
            summary.show()
        return as_shown(summary, self.shell.execution_count)


SimaMagics.sima_compile.__doc__ = COMPILE.help_text()
