"""``simac disassemble``: the commands of an ``.lm`` binary as text."""

from __future__ import annotations

import argparse
from pathlib import Path

from sima_compiler.archive.reader import Archive, is_archive
from sima_compiler.cli.command import Command, Output, add_json_argument
from sima_compiler.errors import LmError, OptionError


def prepare(parser: argparse.ArgumentParser) -> None:
    """The options of ``simac disassemble``."""
    parser.add_argument("file", metavar="ARCHIVE_OR_LM", help="a *_mpk.tar.gz or an .lm file")
    parser.add_argument(
        "--segment", type=int, default=None, metavar="K", help="only the K-th .lm of the archive, counted from 1"
    )
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> Output:
    """List the commands; JSON: path, segments [{name, listing}]."""
    path = Path(arguments.file).expanduser()
    binaries = _from_archive(path) if is_archive(path) else {path.name: path.read_bytes()}
    listings = {name: _listing(name, data) for name, data in _selected(binaries, arguments.segment, path).items()}
    data = {
        "path": arguments.file,
        "segments": [{"name": name, "listing": listing} for name, listing in listings.items()],
    }
    parts = [f"; {name}\n{listing}" if len(listings) > 1 else listing for name, listing in listings.items()]
    return Output(data, "\n\n".join(part.rstrip("\n") for part in parts))


def _listing(name: str, data: bytes) -> str:
    from sima_compiler.lm.listing import disassemble

    try:
        return disassemble(data)
    except LmError as error:
        vendors = name.endswith(".elf")
        hint = "an .elf comes from the vendor's SDK; only .lm files of this compiler can be listed" if vendors else ""
        raise type(error)(f"{name}: {error.message}", hint=hint or error.hint) from error


def _from_archive(path: Path) -> dict[str, bytes]:
    archive = Archive.open(path)
    return {name: archive.read(name) for name in archive.lm_files}


def _selected(binaries: dict[str, bytes], segment: int | None, path: Path) -> dict[str, bytes]:
    if not binaries:
        raise OptionError(f"{path}: holds no .lm file", hint="'simac inspect' lists its files")
    if segment is None:
        return binaries
    if not 1 <= segment <= len(binaries):
        raise OptionError(f"--segment {segment}: the archive holds {len(binaries)}", hint=", ".join(binaries))
    name = list(binaries)[segment - 1]
    return {name: binaries[name]}


COMMAND = Command(
    "disassemble",
    "list the commands of an .lm binary",
    "  simac disassemble out/resnet50_mpk.tar.gz\n  simac disassemble resnet50_stage1_mla.lm",
    prepare,
    run,
)
