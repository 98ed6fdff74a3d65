"""``simac compile``: a model becomes ``<name>_mpk.tar.gz``, and the result is reported."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sima_compiler.arguments import add_compile_arguments, compile_keywords
from sima_compiler.cli.command import Command, Output, Warnings, say
from sima_compiler.cli.layout import pairs, size
from sima_compiler.cli.progress import progress_bar
from sima_compiler.sources import model_from_arguments
from sima_compiler.view import units, wordings

if TYPE_CHECKING:
    from sima_compiler.archive.report_records import CompileReport
    from sima_compiler.model import CompileResult

#: Findings that the command prints.
MOST_ADVICE = 3


def run(arguments: argparse.Namespace) -> Output:
    """Compile; JSON: the result's own keys, with the command's warnings in front of the compiler's."""
    if arguments.html:
        from sima_compiler.view.page import check_page

        check_page(arguments.html)
    warnings = Warnings()
    with progress_bar() as progress:
        model = model_from_arguments(arguments, warnings, progress)
        result = model.compile(**compile_keywords(arguments), progress=progress)
    if result.folder_created:
        say(f"created the folder {result.path.parent}")
    for sentence in result.warnings:
        warnings(sentence)
    if arguments.html:
        from sima_compiler.view.page import write_page
        from sima_compiler.view.reading import view_of

        write_page(view_of(result.archive, warnings.sentences), arguments.html)
    data = {**result.to_dict(), "warnings": warnings.sentences}
    # the text ends with advice, for which the archive is read and its run replayed, which JSON does not hold
    return Output(data, "" if arguments.json else describe(result, arguments.html))


def describe(result: CompileResult, report: str | None = None) -> str:
    """The result for people: where it is, which batch, how many cycles."""
    count = units.count
    stalls = ", ".join(f"{name} {count(cycles)}" for name, cycles in result.stall_cycles.items())
    plugins = ", ".join(f"{number} {processor}" for processor, number in result.plugins.items())
    compiled = result.archive.report
    facts = [
        ("archive", str(result.path)),
        ("batch", f"{result.desired_batch_size} desired -> {result.actual_batch_size} actual"),
        *(("", line) for line in textwrap.wrap(result.reason, 100)),
        ("compute cycles", count(result.compute_cycles)),
        ("runtime cycles", f"{count(result.runtime_cycles)}  for one run of the whole batch, stalls included"),
        ("speed", _speed(result, compiled)),
        ("stall cycles", stalls),
        ("lower bound", f"{count(result.bound_cycles)} cycles"),
        *(("", line) for line in textwrap.wrap(wordings.padded_bound(result.padded_bound_cycles), 100)),
        ("efficiency", f"{units.percent(result.efficiency)} of the bound"),
        ("plugins", plugins),
        *plain_lines("placement", result.verdict),
        *_files(result.files),
        *(("left to host", operator) for operator in (compiled.cut if compiled else ())),
        *_hosted(compiled),
        *_advice(result),
        ("report", report or ""),
    ]
    return pairs(facts)


def _hosted(compiled: CompileReport | None) -> list[tuple[str, str]]:
    """Every host layer, why, and what would move it back."""
    lines: list[tuple[str, str]] = []
    for layer in compiled.host_layers if compiled else ():
        remedy = f"; to move it back: {layer.remedy}" if layer.remedy else ""
        text = f"{layer.operator} {layer.node!r}: {layer.reason}{remedy}"
        lines += plain_lines("" if lines else "on the A65", text)
    return lines


def plain_lines(label: str, text: str) -> list[tuple[str, str]]:
    """A long text in lines, the first of them labelled."""
    return [("" if number else label, line) for number, line in enumerate(textwrap.wrap(text, 100))]


def _advice(result: CompileResult) -> list[tuple[str, str]]:
    """The costliest findings in a line each; the report and the notebook have their evidence."""
    from sima_compiler.view.reading import view_of

    lines: list[tuple[str, str]] = []
    for finding in view_of(result.archive).findings[:MOST_ADVICE]:
        gain = wordings.gain(finding.cycles, finding.bytes, finding.steps)
        text = f"{finding.title}{f' ({gain})' if gain else ''}: {finding.advice}"
        lines += [("" if lines or number else "advice", line) for number, line in enumerate(textwrap.wrap(text, 100))]
    return lines


def _speed(result: CompileResult, compiled: CompileReport | None) -> str:
    """The runtime in time, and what it means per second; empty without a clock."""
    clock = compiled.machine.clock_mhz if compiled and compiled.machine else None
    if not clock or not result.runtime_cycles:
        return ""
    time = units.duration(result.runtime_cycles, clock)
    rate = units.short_rate(units.rate(result.actual_batch_size, result.runtime_cycles, clock))
    mla = wordings.WORDINGS["mla_alone"]
    return f"{time} for the batch at {units.clock(clock)}, {mla}; {rate} samples per second"


def _files(files: Sequence[Any]) -> list[tuple[str, str]]:
    width = max((len(file["name"]) for file in files), default=0)
    lines = [f"{file['name']:<{width}}  {size(file['bytes']):>10}" for file in files]
    return [("files" if index == 0 else "", line) for index, line in enumerate(lines)]


COMMAND = Command(
    "compile",
    "compile a model to <name>_mpk.tar.gz",
    "  simac compile resnet50.sima --batch-size 16 -o out\n"
    "  simac compile resnet50_qdq.onnx --json\n"
    "  simac compile resnet50.onnx --calibration samples.npz --html report.html",
    add_compile_arguments,
    run,
)
