"""``simac batch``: which batch sizes were weighed and why this one; of an archive, or of a model that is not built."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from sima_compiler.arguments import add_model_arguments, add_planning_arguments, add_report_arguments, compile_keywords
from sima_compiler.cli.command import Command, Output, Warnings
from sima_compiler.cli.progress import progress_bar
from sima_compiler.errors import OptionError
from sima_compiler.files.scratch import scratch_folder
from sima_compiler.sources import MODEL_SUFFIXES, model_from_arguments
from sima_compiler.view.batch_text import negotiation_data, negotiation_text
from sima_compiler.view.reading import view_of, view_of_path
from sima_compiler.view.records import View


def prepare(parser: argparse.ArgumentParser) -> None:
    """The options of ``simac batch``."""
    add_model_arguments(parser, metavar="ARCHIVE_OR_MODEL", accepts="an archive; or, with the other options, a model")
    add_planning_arguments(parser)
    add_report_arguments(parser)


def run(arguments: argparse.Namespace) -> Output:
    """Show a negotiation; JSON: path, desired_batch_size, actual_batch_size, reason, candidates, rows [{first, last,
    verdict}], why_not_more, why_not_faster, levers, warnings.
    """
    warnings = Warnings()
    if _is_model(arguments.model):
        view = _negotiated(arguments, warnings)
    else:
        _refuse_planning(arguments)
        view = view_of_path(Path(arguments.model).expanduser())
    data = {**negotiation_data(view), "warnings": warnings.sentences}
    return Output(data, negotiation_text(view), value=view)


def _is_model(source: object) -> bool:
    """Whether it is to be planned: a model's file, or, in a notebook, a model in memory."""
    return not isinstance(source, str | Path) or Path(source).suffix.lower() in MODEL_SUFFIXES


def _negotiated(arguments: argparse.Namespace, warnings: Warnings) -> View:
    """The model is compiled where nobody sees it; only what the negotiation says is kept."""
    with progress_bar() as progress, scratch_folder("batch") as folder:
        model = model_from_arguments(arguments, warnings, progress)
        keywords = compile_keywords(argparse.Namespace(**{**vars(arguments), "output_path": str(folder)}))
        result = model.compile(**keywords, progress=progress)
        view = view_of(result.archive)
    for sentence in result.warnings:
        warnings(sentence)
    return replace(view, path=str(arguments.model) if isinstance(arguments.model, str | Path) else "")


def _refuse_planning(arguments: argparse.Namespace) -> None:
    """An archive has been negotiated: an option that would change the outcome is refused rather than ignored."""
    parser = argparse.ArgumentParser()
    prepare(parser)
    defaults = vars(parser.parse_args(["archive"]))
    shared = {"model", "json", "verbose"}
    given = [name for name in defaults if name not in shared and getattr(arguments, name) != defaults[name]]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise OptionError(
            f"{option} is for models; {arguments.model} is taken for an archive",
            hint=f"leave {option} out, or name the model ({', '.join(MODEL_SUFFIXES)})",
        )


COMMAND = Command(
    "batch",
    "show the batch sizes that were weighed, why this one was built, and what would help",
    "  simac batch out/resnet50_mpk.tar.gz\n"
    "  simac batch resnet50.sima --batch-size 32 --quads 2 --levers\n"
    "  simac batch resnet50.onnx --calibration-random 8 --batch-size 16 --json",
    prepare,
    run,
)
