"""``%sima_check``, ``%sima_verify``, ``%sima_export``: questions about a model; the options are the command line's own.

In: a line. Out: what the function of the same name in Python returns, which shows itself. With ``--json`` the same
object that ``simac`` prints stands on stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from IPython.core.magic import Magics, line_magic, magics_class, needs_local_scope

from sima_compiler import (
    Model,
    add_check_arguments,
    add_export_arguments,
    add_verify_arguments,
    check_from_arguments,
    export_from_arguments,
    verify_from_arguments,
)
from sima_nb.magic_parser import Twin, plain_errors
from sima_nb.session import resolve_calibration, resolve_model


class Report(Protocol):
    """What a magic returns."""

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``--json``."""
        ...


CHECK = Twin(
    "check",
    """List everything that keeps a model from compiling, at once and without compiling it.

MODEL is a path, or the name of a variable that holds a path, a Model or an onnx.ModelProto.

    %sima_check resnet50.onnx
    r = %sima_check detector.onnx --input-shape images=1x3x320x320
    r.compiles, r.obstacles
""",
    add_check_arguments,
    (".onnx", ".sima"),
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
    (".onnx", ".sima"),
)
EXPORT = Twin(
    "export",
    """Write the quantized network as an ONNX file that onnxruntime runs and Netron opens.

MODEL is a path, or the name of a variable that holds a path, a Model or an onnx.ModelProto.

    %sima_export resnet50.sima -o resnet50_uint8.onnx --uint8
""",
    add_export_arguments,
    (".onnx", ".sima"),
)
RUNS: dict[str, Callable[[argparse.Namespace], Report]] = {
    "check": check_from_arguments,
    "verify": verify_from_arguments,
    "export": export_from_arguments,
}
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
        arguments = twin.arguments(line)
        if arguments is None:
            return None
        with plain_errors():
            report = RUNS[twin.name](self._resolved(arguments, local_names))
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
