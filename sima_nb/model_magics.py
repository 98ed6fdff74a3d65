"""``%sima_check``, ``%sima_verify``, ``%sima_export``: questions about a model; the options are the command line's own.

In: a line. Out: what the function of the same name in Python returns, which shows itself. With ``--json`` the same
object that ``simac`` prints stands on stdout.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from IPython.core.magic import Magics, line_magic, magics_class, needs_local_scope

from sima_compiler import (
    CompileInterrupted,
    Model,
    SimaError,
    add_check_arguments,
    add_export_arguments,
    add_verify_arguments,
    check_from_arguments,
    export_from_arguments,
    verify_from_arguments,
)
from sima_nb.magic_parser import MagicParser, without_traceback
from sima_nb.session import resolve_calibration, resolve_model


class Report(Protocol):
    """What a magic returns."""

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``--json``."""
        ...


@dataclass(frozen=True, slots=True)
class Twin:
    """A magic and the command whose options it has."""

    name: str
    introduction: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Report]

    def parser(self) -> MagicParser:
        """The command's options, and ``-h``."""
        parser = MagicParser(f"%sima_{self.name}", add_help=False)
        self.add_arguments(parser)
        parser.add_argument("-h", "--help", action="store_true", help="show this text")
        return parser

    def help_text(self) -> str:
        """Introduction and every option."""
        return f"{self.introduction}\n{self.parser().format_help()}"


CHECK = Twin(
    "check",
    """List everything that keeps a model from compiling, at once and without compiling it.

MODEL is a path, or the name of a variable that holds a path, a Model or an onnx.ModelProto.

    %sima_check resnet50.onnx
    r = %sima_check detector.onnx --input-shape images=1x3x320x320
    r.compiles, r.obstacles
""",
    add_check_arguments,
    check_from_arguments,
)
VERIFY = Twin(
    "verify",
    """Compare the simulated archive of a model with the model itself in onnxruntime, every element.

MODEL is a path, or the name of a variable that holds a path, a Model or an onnx.ModelProto; what follows --input and
--calibration may be a variable too.

    %sima_verify resnet50_qdq.onnx
    r = %sima_verify resnet50.onnx --calibration samples --layers
    r.exact, r.forms, r.layers
""",
    add_verify_arguments,
    verify_from_arguments,
)
EXPORT = Twin(
    "export",
    """Write the quantized network as an ONNX file that onnxruntime runs and Netron opens.

MODEL is a path, or the name of a variable that holds a path, a Model or an onnx.ModelProto.

    %sima_export resnet50.sima -o resnet50_uint8.onnx --uint8
""",
    add_export_arguments,
    export_from_arguments,
)
TWINS = (CHECK, VERIFY, EXPORT)


@magics_class
class ModelMagics(Magics):
    """The magics that ask about a model."""

    @needs_local_scope
    @line_magic
    def sima_check(self, line: str, local_ns: Mapping[str, Any] | None = None) -> Report | None:
        """List everything that keeps a model from compiling; the text that ``?`` shows is set below."""
        return self._run(CHECK, line, local_ns or {})

    @needs_local_scope
    @line_magic
    def sima_verify(self, line: str, local_ns: Mapping[str, Any] | None = None) -> Report | None:
        """Compare a simulated archive with onnxruntime; the text that ``?`` shows is set below."""
        return self._run(VERIFY, line, local_ns or {})

    @needs_local_scope
    @line_magic
    def sima_export(self, line: str, local_ns: Mapping[str, Any] | None = None) -> Report | None:
        """Write the quantized network as ONNX; the text that ``?`` shows is set below."""
        return self._run(EXPORT, line, local_ns or {})

    def _run(self, twin: Twin, line: str, local_names: Mapping[str, Any]) -> Report | None:
        parser = twin.parser()
        try:
            words = shlex.split(line)
        except ValueError as error:
            parser.error(str(error))
        if not words or {"-h", "--help"} & set(words):
            sys.stdout.write(twin.help_text())
            return None
        arguments = parser.parse_args(words)
        try:
            report = twin.run(self._resolved(arguments, local_names))
        except KeyboardInterrupt:
            raise without_traceback(CompileInterrupted("stopped; nothing half-written is left behind")) from None
        except SimaError as error:
            raise without_traceback(error) from None
        if not arguments.json:
            return report
        sys.stdout.write(json.dumps(report.to_dict(), ensure_ascii=False) + "\n")
        return None

    def _resolved(self, arguments: argparse.Namespace, local_names: Mapping[str, Any]) -> argparse.Namespace:
        """Variables in the place of their names."""
        assert self.shell is not None, "a magic runs in a shell"
        namespace = {**self.shell.user_ns, **local_names}
        model = resolve_model(arguments.model, namespace)
        arguments.model = model.to_onnx() if isinstance(model, Model) else model
        for option in ("calibration", "input"):
            if hasattr(arguments, option):
                setattr(arguments, option, resolve_calibration(getattr(arguments, option), namespace))
        return arguments


for twin in TWINS:
    getattr(ModelMagics, f"sima_{twin.name}").__doc__ = twin.help_text()
