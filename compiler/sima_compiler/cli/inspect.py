"""``simac inspect``: what is in an archive (ours or another compiler's) or in a ``.sima`` model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sima_compiler.archive.acceptance import accepts, check_archive
from sima_compiler.archive.mpk_document import MpkPlugin
from sima_compiler.archive.reader import Archive
from sima_compiler.archive.rule import Outcome, Verdict
from sima_compiler.cli.command import Command, Output, add_json_argument
from sima_compiler.cli.layout import pairs, table
from sima_compiler.errors import InvalidArchiveError
from sima_compiler.screen import printable
from sima_compiler.view import units
from sima_compiler.view.unknown import archive_lacks


def prepare(parser: argparse.ArgumentParser) -> None:
    """The options of ``simac inspect``."""
    parser.add_argument("archive", metavar="ARCHIVE", help="a .tar.gz, ours or the vendor's, or a .sima model")
    parser.add_argument(
        "--check",
        action="store_true",
        help="instead, say rule by rule what the vendor's loader and strict decoder would refuse",
    )
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> Output:
    """Look into a file; JSON of an archive: path, batch sizes, cycles and their counting, files, plugins, warnings,
    and what it does not record.

    With ``--check``: path, and per reader accepts and rules [{rule, sentence, verdict, findings}].
    """
    path = Path(arguments.archive).expanduser()
    if arguments.check:
        return _check(path)
    return _inspect_model(path) if path.suffix in {".sima", ".onnx"} else _inspect_archive(path)


def _inspect_archive(path: Path) -> Output:
    archive = Archive.open(path)
    stats = archive.stats
    report = archive.report
    data = {
        "path": str(path),
        "desired_batch_size": archive.batch.desired,
        "actual_batch_size": archive.batch.actual,
        "compute_cycles": stats.total_cycles if stats else None,
        "counting": stats.counting if stats else "",
        "runtime_cycles": report.runtime_cycles if report else None,
        "layers": len(stats.layers) if stats else 0,
        "left_to_host": list(report.cut) if report else [],
        "files": [{"name": file.name, "bytes": file.bytes} for file in archive.files],
        "plugins": [_plugin(plugin) for plugin in archive.mpk.plugins],
        "warnings": list(archive.warnings),
        "not_recorded": list(archive_lacks(archive)),
    }
    return Output(data, _archive_text(archive, data))


def _check(path: Path) -> Output:
    if not path.is_file():
        raise InvalidArchiveError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}", entry=str(path))
    found = check_archive(path)
    sections = [
        _rules_text("The loader of the public runtime", found.loader, "refuses it"),
        _rules_text("The strict decoder", found.decoder, "refuses it"),
        _rules_text("The form of published documents", found.form, "differs"),
    ]
    return Output({"path": str(path), **found.to_dict()}, "\n\n".join([printable(str(path)), *sections]))


def _rules_text(about: str, rules: tuple[Outcome, ...], refusal: str) -> str:
    """The verdict in a sentence, a line per rule that was looked at with what was found, and how many were not."""
    broken = sum(outcome.verdict is Verdict.BROKEN for outcome in rules)
    unchecked = sum(outcome.verdict is Verdict.NOT_CHECKED for outcome in rules)
    verdict = f"{refusal}, {broken} of {len(rules)} rules broken" if broken else "unknown"
    lines = [f"{about}: {'nothing that is public stands in the way' if accepts(rules) else verdict}"]
    for outcome in rules:
        if outcome.verdict is not Verdict.NOT_CHECKED:
            lines.append(f"  {outcome.verdict.value:<8}{outcome.sentence}")
        lines += [f"          - {printable(finding)}" for finding in outcome.findings]
    if unchecked:
        lines.append(f"  {unchecked} rule{'s' * (unchecked != 1)} could not be checked, because others are broken")
    return "\n".join(lines)


def _plugin(plugin: MpkPlugin) -> dict[str, Any]:
    return {
        "sequence": plugin.sequence,
        "name": plugin.name,
        "processor": plugin.processor,
        "kernel": plugin.kernel,
        "executable": plugin.executable,
    }


def _archive_text(archive: Archive, data: dict[str, Any]) -> str:
    rows = [
        (str(plugin["sequence"]), plugin["name"], plugin["processor"], plugin["kernel"] or plugin["executable"] or "-")
        for plugin in data["plugins"]
    ]
    facts = pairs(
        [
            (
                "batch",
                f"{_or_unknown(data['desired_batch_size'])} desired -> {_or_unknown(data['actual_batch_size'])} actual",
            ),
            ("compute cycles", _cycles(data["compute_cycles"])),
            ("runtime cycles", _cycles(data["runtime_cycles"])),
            ("layers", str(data["layers"] or "")),
            ("", data["counting"]),
            *(("left to host", operator) for operator in data["left_to_host"]),
            *(("warning", sentence) for sentence in data["warnings"]),
            *(("not recorded", sentence) for sentence in data["not_recorded"]),
        ]
    )
    plugins = table(("#", "plugin", "runs on", "kernel or file"), rows, right=(0,))
    return "\n\n".join([str(archive.tree), facts, plugins])


def _inspect_model(path: Path) -> Output:
    from sima_compiler.model import Model

    model = Model.from_onnx(path) if path.suffix == ".onnx" else Model.load(path.name, path.parent)
    data = {
        "path": str(path),
        "name": model.name,
        "inputs": [{"name": name, "shape": list(shape)} for name, shape in model.inputs.items()],
        "outputs": [{"name": name, "shape": list(shape)} for name, shape in model.outputs.items()],
        "nodes": len(model.graph.nodes),
        "warnings": list(model.graph.warnings),
    }
    inputs = [("input", f"{name}  {list(shape)} per sample") for name, shape in model.inputs.items()]
    outputs = [("output", f"{name}  {list(shape)} per sample") for name, shape in model.outputs.items()]
    warnings = [("warning", sentence) for sentence in model.graph.warnings]
    nodes = ("nodes", str(len(model.graph.nodes)))
    return Output(data, pairs([("name", model.name), *inputs, *outputs, nodes, *warnings]))


def _or_unknown(value: int | None) -> str:
    return "unknown" if value is None else str(value)


def _cycles(value: int | None) -> str:
    return "" if value is None else units.count(value)


COMMAND = Command(
    "inspect",
    "show files, plugins, batch size and cycles of an archive",
    "  simac inspect out/resnet50_mpk.tar.gz\n"
    "  simac inspect resnet_50.tar.gz --check\n"
    "  simac inspect resnet50.sima --json",
    prepare,
    run,
)
