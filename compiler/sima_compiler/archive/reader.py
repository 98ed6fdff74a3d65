"""Safe reading of archives, ours or the vendor's, by what they hold and not by what they are called.

In: a path. Out: a frozen `Archive` with everything that the archive says about itself. One pass over the file; nothing
is written to disk unless `Archive.extract` is called. Always holds: an archive that opens is whole and safe; whatever
is wrong with another one is one error whose class names the cause and whose ``entry`` names the member.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sima_compiler.archive.batch import BatchResult, read_batch
from sima_compiler.archive.extract import extract_members
from sima_compiler.archive.gunzip import GZIP_MAGIC, GzipStream, Limits, Watch, unwatched
from sima_compiler.archive.mpk_document import MpkDocument
from sima_compiler.archive.names import ARCHIVE_SUFFIX, FileKind, archive_name, is_archive_name, stage_order
from sima_compiler.archive.report import parse_report
from sima_compiler.archive.report_records import CompileReport
from sima_compiler.archive.stats import MlaStats
from sima_compiler.archive.tarstream import Member, Sink, walk
from sima_compiler.archive.tree import ArchiveTree, build_tree
from sima_compiler.errors import (
    ArchiveError,
    InvalidArchiveError,
    SchemaError,
    SizeLimitError,
    UnsupportedExtensionError,
)
from sima_compiler.files.nearby import meant

if TYPE_CHECKING:
    from sima_compiler.ir.host import HostSegment
    from sima_compiler.lm.reader import LmFile
    from sima_compiler.sim.trace_columns import TraceColumns

#: What is read of every archive; the rest is kept as far as the budget allows, and read again when it is asked for.
_ALWAYS_KEPT = (FileKind.MPK, FileKind.REPORT, FileKind.STATS)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of an archive; ``bytes`` is its size."""

    name: str
    bytes: int
    kind: FileKind


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """An opened archive. ``stats`` and ``report`` are None where the archive has no such member that can be read.

    ``stats`` covers every MLA segment in order; ``lm_files`` names the MLA binaries (``.lm`` or ``.elf``) in order.
    ``warnings`` are sentences about what is missing or cannot be read.
    """

    path: Path
    files: tuple[FileEntry, ...]
    tree: ArchiveTree
    mpk: MpkDocument
    stats: MlaStats | None
    batch: BatchResult
    report: CompileReport | None
    warnings: tuple[str, ...]
    _kept: Mapping[str, bytes] = field(repr=False)
    _identity: tuple[int, ...] = field(repr=False)
    _limits: Limits = field(repr=False)
    _watch: Watch = field(default=unwatched, repr=False)
    _decoded: list[LmFile | HostSegment] = field(default_factory=list["LmFile | HostSegment"], init=False, repr=False)

    @staticmethod
    def open(path: str | Path, *, limits: Limits = Limits(), watch: Watch = unwatched) -> Archive:
        """Reads and checks the archive at ``path`` in one pass; ``watch`` may raise on the way to stop it.

        Raises:
            UnsupportedExtensionError: neither is the file gzip-compressed nor does its name say so.
            InvalidArchiveError: missing, not a file, not gzip, not tar, damaged, cut, prolonged, empty, without its
                `*_mpk.json`, or with a link, a device or a duplicate.
            PathTraversalError, SizeLimitError, SchemaError, UnsupportedVersionError: see `sima_compiler.errors`.
        """
        path = Path(path)
        if not is_archive(path):
            raise _no_archive(path)
        try:
            return _open(path, limits, watch)
        except ArchiveError as error:
            raise type(error)(f"{path}: {error.message}", entry=error.entry, hint=error.hint) from error

    @staticmethod
    def of_pipeline(path: str | Path, *, limits: Limits = Limits()) -> Archive:
        """What a `*_mpk.json` outside of an archive says: plugins and batch sizes, no files.

        Raises:
            InvalidArchiveError: it cannot be read. SizeLimitError, SchemaError: as for the member of an archive.
        """
        path = Path(path)
        with _open_file(path) as file:
            identity = _identity(file)
            mpk = MpkDocument.parse(file.read(limits.json_bytes + 1), entry=path.name, limits=limits)
        return Archive(
            path=path,
            files=(),
            tree=build_tree(path.name, []),
            mpk=mpk,
            stats=None,
            batch=read_batch(mpk, None),
            report=None,
            warnings=(),
            _kept={},
            _identity=identity,
            _limits=limits,
        )

    def watched(self, watch: Watch) -> Archive:
        """The same archive, whose further reading ``watch`` may stop."""
        return replace(self, _watch=watch)

    @property
    def name(self) -> str:
        """The model's name: the file's name without its ending and without what a browser added to it."""
        return archive_name(self.path.name)

    @property
    def lm_files(self) -> tuple[str, ...]:
        """Names of the MLA binaries, in the order of their stages."""
        return tuple(_names_of(self.files, FileKind.MLA))

    @property
    def host_files(self) -> tuple[str, ...]:
        """Names of the A65's libraries, in the order of their stages."""
        return tuple(_names_of(self.files, FileKind.A65))

    @property
    def plugins(self) -> dict[str, int]:
        """How many plugins run on each processor."""
        return self.mpk.processors

    def read(self, name: str) -> bytes:
        """The bytes of one file; a large binary is read again from disk.

        Raises:
            ArchiveError: no such file. InvalidArchiveError: the archive on disk is no longer the one that was opened.
        """
        self._check_names([name])
        if name in self._kept:
            return self._kept[name]
        chunks: list[bytes] = []
        self._stream(lambda member: chunks.append if member.name == name else None)
        return b"".join(chunks)

    def decoded(self) -> tuple[LmFile | HostSegment, ...]:
        """The programs of all segments in the order of execution; they are decoded once, by the first who asks.

        Raises:
            ArchiveError: the archive holds no `.lm` that this compiler wrote. LmError, HostError: one is damaged.
        """
        from sima_compiler.archive.programs import programs

        if not self._decoded:
            self._decoded.extend(programs(str(self.path), self.lm_files, self.host_files, self.read))
        return tuple(self._decoded)

    def trace(self) -> TraceColumns:
        """When every command of the MLA programs runs, for which layer, and what it waited for; needs no inputs.

        Raises:
            ArchiveError: the archive holds no `.lm` that this compiler wrote. LmError: one is damaged.
            ExecutionError: the commands of one wait for each other.
        """
        from sima_compiler.archive.programs import lm_programs
        from sima_compiler.sim.trace_columns import trace_columns

        return trace_columns(lm_programs(str(self.path), self.lm_files, self.read))

    def read_head(self, name: str, most: int) -> bytes:
        """The first ``most`` bytes of one file, never more in memory, however large it is.

        Raises:
            ArchiveError: no such file. InvalidArchiveError: the archive on disk is no longer the one that was opened.
        """
        self._check_names([name])
        if name in self._kept:
            return self._kept[name][:most]
        head = bytearray()
        self._stream(
            lambda member: (lambda part: head.extend(part[: most - len(head)])) if member.name == name else None
        )
        return bytes(head)

    def extract(self, names: Iterable[str], folder: str | Path) -> list[Path]:
        """Writes the named files below the existing ``folder`` and returns their paths; replaces nothing.

        Raises:
            ArchiveError: no such file in the archive. OutputError: the folder is missing or read-only, a file is in
                the way, or the disk is full; nothing that this call wrote is left behind.
        """
        wanted = list(dict.fromkeys(names))
        self._check_names(wanted)
        return extract_members(wanted, Path(folder), self._kept, self._stream)

    def __repr__(self) -> str:
        return f"Archive({str(self.path)!r}, {len(self.files)} files, batch {self.batch.actual})"

    def _check_names(self, names: Iterable[str]) -> None:
        known = {file.name for file in self.files}
        for name in names:
            if name not in known:
                raise ArchiveError(
                    f"{self.path}: no file {name!r} in the archive",
                    entry=name,
                    hint=f"it has {', '.join(sorted(known))}",
                )

    def _stream(self, choose: Callable[[Member], Sink | None]) -> None:
        with _open_file(self.path) as file:
            if _identity(file) != self._identity:
                raise InvalidArchiveError(f"{self.path}: changed since it was opened", hint="open it again")
            for _ in walk(GzipStream(file, self._limits, self._watch), self._limits, choose):
                pass


def is_archive(path: Path) -> bool:
    """Whether a file is an archive by name or content, so that it is opened as one and not as something else."""
    return is_archive_name(path.name) or _is_gzip(path)


def _is_gzip(path: Path) -> bool:
    try:
        with _open_file(path) as file:
            return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    except (InvalidArchiveError, OSError):
        return False


def _archives_in(folder: Path) -> list[str]:
    try:
        return sorted(found.name for found in folder.iterdir() if is_archive_name(found.name))[:3]
    except OSError:
        return []


def _no_archive(path: Path) -> UnsupportedExtensionError:
    """What is wrong with a path that is no archive by name or content, and what was meant, as far as one can tell."""
    problem = f"{path}: no archive: not gzip-compressed, and the name does not end in {ARCHIVE_SUFFIX}"
    hint = f"open a file called <name>{ARCHIVE_SUFFIX}, or any other .tar.gz that holds a *_mpk.json"
    if os.path.isdir(path):  # noqa: PTH112 - answers where Path.is_dir raises: a name too long, no permission
        problem = f"{path}: a folder, not an archive"
        inside = _archives_in(path)
        hint = f"it holds {', '.join(inside)}" if inside else hint
    elif not os.path.exists(path):  # noqa: PTH110
        problem = f"{path}: there is no such file, and the name is not that of an archive (<name>{ARCHIVE_SUFFIX})"
        hint = meant(path, is_archive_name) or hint
    elif path.suffix in {".sima", ".onnx"}:
        hint = f"this is a model; compile it first: simac compile {path}"
    elif path.suffix == ".tar":
        hint = f"some browsers unpack what they download; pack it again: gzip {path}"
    return UnsupportedExtensionError(problem, hint=hint)


def _open(path: Path, limits: Limits, watch: Watch) -> Archive:
    with _open_file(path) as file:
        identity = _identity(file)
        members, kept = _collect(GzipStream(file, limits, watch), limits)
    files = tuple(FileEntry(member.name, member.size, member.kind) for member in members)
    mpk_name = _mpk_name(files, archive_name(path.name))
    mpk = MpkDocument.parse(kept[mpk_name], entry=mpk_name, limits=limits)
    report_name = next(iter(_names_of(files, FileKind.REPORT)), "")
    stats, unreadable = _read_stats(files, kept, watch)
    report = parse_report(kept[report_name], entry=report_name, largest=limits.json_bytes) if report_name else None
    return Archive(
        path=path,
        files=files,
        tree=build_tree(path.name, [(file.name, file.bytes, file.kind.value) for file in files]),
        mpk=mpk,
        stats=stats,
        batch=read_batch(mpk, report),
        report=report,
        warnings=(*_absent_executables(mpk, files), *unreadable),
        _kept=kept,
        _identity=identity,
        _limits=limits,
    )


def _collect(stream: GzipStream, limits: Limits) -> tuple[list[Member], dict[str, bytes]]:
    """The files in order, and the contents of what is always kept and of what else fits the memory budget."""
    chunks: dict[str, list[bytes]] = {}
    left, texts = limits.kept_bytes, 0

    def choose(member: Member) -> Sink | None:
        nonlocal left, texts
        if member.kind in _ALWAYS_KEPT:
            texts += member.size
            _check_texts(member, texts, limits)
        elif member.size > left:
            return None
        else:
            left -= member.size
        return chunks.setdefault(member.name, []).append

    members = [member for member in walk(stream, limits, choose) if not member.is_folder]
    return members, {name: b"".join(parts) for name, parts in chunks.items()}


def _check_texts(member: Member, texts: int, limits: Limits) -> None:
    """Each text is limited; thousands of them are too, or an archive of a few megabytes could fill the memory."""
    most = limits.yaml_bytes + 2 * limits.json_bytes
    if texts > most:
        raise SizeLimitError(
            f"entry {member.name} brings pipeline, report and statistics to {texts} bytes, the limit is {most}",
            entry=member.name,
        )


def _mpk_name(files: tuple[FileEntry, ...], archive_name: str) -> str:
    names = _names_of(files, FileKind.MPK)
    if not names:
        raise InvalidArchiveError(
            "no *_mpk.json or mpk.json in the archive", hint="it holds " + ", ".join(f.name for f in files)
        )
    own = [name for name in names if name.rsplit("/", 1)[-1] == f"{archive_name}_mpk.json"]
    if len(own or names) > 1:
        raise InvalidArchiveError(f"more than one *_mpk.json: {', '.join(own or names)}", entry=(own or names)[1])
    return (own or names)[0]


def _read_stats(
    files: tuple[FileEntry, ...], kept: Mapping[str, bytes], watch: Watch
) -> tuple[MlaStats | None, list[str]]:
    """The statistics that can be read, and a sentence for each file that cannot: it hides its own layers only."""
    segments: list[MlaStats] = []
    warnings: list[str] = []
    for name in _names_of(files, FileKind.STATS):
        try:
            segments.append(MlaStats.parse(kept[name], entry=name, watch=watch))
        except SchemaError as error:
            warnings.append(f"{error.message}; its layers are not shown and count in no total of layers")
    return (MlaStats.concat(segments) if segments else None), warnings


def _absent_executables(mpk: MpkDocument, files: tuple[FileEntry, ...]) -> list[str]:
    """Programs that a plugin names and nobody packed; EV74 plugins name a placeholder, their kernels lie elsewhere."""
    present = {name for file in files for name in (file.name, file.name.rsplit("/", 1)[-1])}
    return [
        f"{plugin.name} names the executable {plugin.executable}, which is not in the archive; it cannot run"
        for plugin in mpk.plugins
        if plugin.executable and plugin.processor != "EV74" and plugin.executable not in present
    ]


def _names_of(files: tuple[FileEntry, ...], kind: FileKind) -> list[str]:
    return sorted((file.name for file in files if file.kind == kind), key=stage_order)


def _open_file(path: Path) -> BinaryIO:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InvalidArchiveError(f"{'a folder' if path.is_dir() else 'not a regular file'}; expected an archive")
        return path.open("rb")
    except OSError as error:
        hint = meant(path, is_archive_name) if isinstance(error, FileNotFoundError) else ""
        raise InvalidArchiveError(f"cannot be read: {error.strerror or error}", hint=hint) from error


def _identity(file: BinaryIO) -> tuple[int, ...]:
    status = os.fstat(file.fileno())
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
