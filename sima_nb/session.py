"""The work behind the magic as plain functions, usable without a notebook.

In: what the user wrote (a name or a path) and parsed options. Out: `Summary`. Nothing is displayed here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sima_compiler import (
    Model,
    ModelError,
    OptionError,
    Progress,
    add_compile_arguments,
    compile_keywords,
    model_from_arguments,
)
from sima_compiler.view import check_page
from sima_nb.display import Summary
from sima_nb.foreign import compile_foreign, is_foreign_model


def resolve_model(text: str, namespace: Mapping[str, Any]) -> Any:
    """What MODEL stands for: the variable of that name where there is one, else the text itself as a path.

    Raises:
        ModelError: a variable that is neither a path, nor an ONNX model, nor has a ``compile`` method.
    """
    if text not in namespace:
        if text.isidentifier() and not Path(text).exists():
            raise ModelError(
                f"{text}: neither a variable nor a file", hint="run the cell that defines it, or name a file"
            )
        return text
    value = namespace[text]
    if isinstance(value, str | Path):
        return str(value)
    if isinstance(value, Model) or is_foreign_model(value) or is_onnx_model(value):
        return value
    raise ModelError(
        f"{text} is of type {type(value).__name__}, which is no model",
        hint="name a Model, an onnx.ModelProto, a path, or an object with compile(output_path=..., batch_size=...)",
    )


def resolve_source(text: str, namespace: Mapping[str, Any]) -> Any:
    """What FILE or ARCHIVE stands for: the variable of that name where there is one, else the text itself as a path.

    Raises:
        OptionError: neither a variable nor a file.
    """
    if text in namespace:
        return namespace[text]
    if text.isidentifier() and not Path(text).exists():
        raise OptionError(f"{text}: neither a variable nor a file", hint="run the cell that defines it, or name a file")
    return text


def path_of(source: Any) -> str:
    """Where what a variable holds lies on disk: a path itself, an archive, or a result.

    Raises:
        OptionError: it lies in no file.
    """
    path = source if isinstance(source, str | Path) else getattr(source, "path", None)
    if not isinstance(path, str | Path) or not str(path):
        raise OptionError(
            f"{type(source).__name__} lies in no file", hint="name a path, an Archive, or what compile returned"
        )
    return str(path)


def is_onnx_model(value: object) -> bool:
    """Whether ``value`` is an `onnx.ModelProto`; told by its name, so that nothing has to be imported for it."""
    kind = type(value)
    return kind.__name__ == "ModelProto" and kind.__module__.partition(".")[0] == "onnx"


def resolve_calibration(text: str | None, namespace: Mapping[str, Any]) -> Any:
    """What ``--calibration`` stands for: the variable of that name where there is one, else the text as a path.

    A variable may be what `sima_compiler.quantize` takes, or one {input name: array} with many samples.
    """
    if text is None or text not in namespace:
        return text
    value = namespace[text]
    return [value] if isinstance(value, Mapping) else value


def compile_model(
    model: Any, arguments: argparse.Namespace, progress: Callable[[Progress], None] | None = None
) -> Summary:
    """Compile a path, a `Model`, an ONNX model or a foreign object with the parsed options, and open the result.

    Raises:
        SimaError: whatever is wrong with model, options or output. Errors of a foreign ``compile`` pass through.
    """
    warnings: list[str] = []
    if arguments.html:
        check_page(arguments.html)
    if isinstance(model, str | Path) or is_onnx_model(model):
        prepared = argparse.Namespace(**{**vars(arguments), "model": model})
        model = model_from_arguments(prepared, warnings.append, progress)
    else:
        _refuse_file_options(arguments)
    keywords = compile_keywords(arguments)
    summary = _compile(model, keywords, warnings, progress)
    if arguments.html:
        summary.to_html(arguments.html)
    return summary


def _refuse_file_options(arguments: argparse.Namespace) -> None:
    """What a model in memory cannot follow is said, not ignored."""
    given = {
        "--calibration": arguments.calibration,
        "--calibration-random": arguments.calibration_random,
        "--input-shape": arguments.input_shape,
        "--name": arguments.name,
    }
    for option, value in given.items():
        if value is not None:
            raise OptionError(
                f"{option} is for files; {arguments.model} is a model already", hint=f"leave {option} out"
            )


def _compile(
    model: Any, keywords: Mapping[str, Any], warnings: list[str], progress: Callable[[Progress], None] | None
) -> Summary:
    def again(size: int) -> Summary:
        return _compile(model, {**keywords, "batch_size": size}, warnings, None)

    if isinstance(model, Model):
        result = model.compile(**keywords, progress=progress)
        summary = Summary.of(result.archive, warnings=[*warnings, *result.warnings], result=result)
    else:
        found = compile_foreign(model, keywords, default_keywords())
        summary = Summary.of(found.path, warnings=[*warnings, *found.warnings], result=found.returned)
    return replace(summary, recompile=again)


def default_keywords() -> dict[str, Any]:
    """The keywords of a compile without any option."""
    parser = argparse.ArgumentParser()
    add_compile_arguments(parser)
    return compile_keywords(parser.parse_args(["model"]))


def as_shown(summary: Summary, cell: int) -> Summary:
    """The same summary, marked as shown in that cell."""
    return replace(summary, shown_in=cell)
