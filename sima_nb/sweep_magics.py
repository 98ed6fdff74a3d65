"""``%sima_sweep``: every combination of options for one model; the options are the command line's own.

In: a line. Out: a `SweepTable`, which shows itself; rows are told as they come. With ``--json`` the same object that
``simac`` prints stands on stdout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from IPython.core.magic import line_magic, magics_class, needs_local_scope

from sima_compiler import SweepTable, logging_from_arguments
from sima_compiler.cli import subcommand
from sima_nb.magic_parser import Twin, plain_errors
from sima_nb.session import resolve_calibration, resolve_model
from sima_nb.showing import NamingMagics, printed

SWEEP = Twin.of_command(
    "sweep",
    """Compile a model for every combination of options and compare what came of it.

MODEL is a path, or the name of a variable that holds a path, a Model or an onnx.ModelProto.

    %sima_sweep resnet50.sima --batch-size 1,2,4,8 --quads 1,2,4
    t = %sima_sweep resnet50.sima --batch-size 1-16 -o sweep
    t.best("throughput"), t.pareto, t.to_pandas()
""",
    of="sweep",
    suffixes=(".sima", ".onnx"),
)
TWINS = (SWEEP,)


@magics_class
class SweepMagics(NamingMagics):
    """The magic that compiles many times."""

    @needs_local_scope
    @line_magic
    def sima_sweep(self, line: str, local_ns: Mapping[str, Any] | None = None) -> SweepTable | None:
        """Compile every combination of options; the text that ``?`` shows is set below."""
        arguments = SWEEP.arguments(line)
        if arguments is None:
            return None
        with plain_errors(), logging_from_arguments(arguments):
            names = self.names(local_ns)
            arguments.model = resolve_model(arguments.model, names)
            arguments.calibration = resolve_calibration(arguments.calibration, names)
            output = subcommand("sweep").run(arguments)
        return printed(output.data) if arguments.json else output.value


SweepMagics.sima_sweep.__doc__ = SWEEP.help_text()
