"""Whether the vendor's own programs would take an archive, rule by rule.

In: a path, to an archive of any compiler. Out: an `Acceptance` with the outcome of every rule of two readers: the
*loader* of the public runtime, which opens the file, and the *strict decoder*, which reads the document and asks the
MLA's binaries for their buffers. Always holds: what this project's own reader refuses is a broken rule of the loader's,
not an error. The rules are what is public about both; what they keep to themselves is not here, so "kept" means that no
public rule stands in the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sima_compiler.archive.grammar import DOCUMENT_RULES, FORM_RULES, plugins_in_order
from sima_compiler.archive.names import FileKind
from sima_compiler.archive.reader import Archive
from sima_compiler.archive.rule import Outcome, Rule, Verdict, broken_rules, outcomes
from sima_compiler.errors import ArchiveError, SchemaError

_ELF_MAGIC = b"\x7fELF"


@dataclass(frozen=True, slots=True)
class Opened:
    """A path with the archive that it holds, or with the reason why it cannot be opened."""

    path: Path
    archive: Archive | None
    error: ArchiveError | None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Outcomes of both readers' rules, in the order in which they look, and of the rules of the published form."""

    path: Path
    loader: tuple[Outcome, ...]
    decoder: tuple[Outcome, ...]
    form: tuple[Outcome, ...]

    def to_dict(self) -> dict[str, Any]:
        """``{loader | decoder | form: {accepts, rules: [{rule, sentence, verdict, findings}]}}`` as plain values."""
        tables = {"loader": self.loader, "decoder": self.decoder, "form": self.form}
        return {
            name: {"accepts": accepts(rules), "rules": [asdict(outcome) for outcome in rules]}
            for name, rules in tables.items()
        }


def accepts(rules: tuple[Outcome, ...]) -> bool:
    """Whether every rule is kept."""
    return all(outcome.verdict is Verdict.KEPT for outcome in rules)


def check_archive(path: str | Path) -> Acceptance:
    """Every rule's outcome for the file at ``path``.

    Raises:
        ArchiveError: the archive cannot be opened because of a member that only this project reads.
    """
    path = Path(path)
    try:
        opened = Opened(path, Archive.open(path), None)
    except ArchiveError as error:
        if error.entry.endswith("_compile_report.json"):
            raise
        opened = Opened(path, None, error)
    loader = outcomes(LOADER_RULES, opened)
    if opened.archive is None:
        return Acceptance(path, tuple(loader), _unchecked(*DOCUMENT_RULES, *BINARY_RULES), _unchecked(*FORM_RULES))
    document = opened.archive.mpk.raw
    grammar = outcomes(DOCUMENT_RULES, document)
    binaries = outcomes(BINARY_RULES, opened.archive, broken_rules([*loader, *grammar]))
    form = outcomes(FORM_RULES, document, broken_rules(grammar))
    return Acceptance(path, tuple(loader), (*grammar, *binaries), tuple(form))


def _unchecked(*rules: Rule[Any]) -> tuple[Outcome, ...]:
    return tuple(Outcome(rule.key, rule.sentence, Verdict.NOT_CHECKED) for rule in rules)


def _file_name(opened: Opened) -> Iterator[str]:
    if not opened.path.name.endswith(".tar.gz"):
        yield f"the file is called {opened.path.name!r}"


def _container(opened: Opened) -> Iterator[str]:
    if opened.error is not None and not isinstance(opened.error, SchemaError):
        yield opened.error.message.removeprefix(f"{opened.path}: ")


def _document(opened: Opened) -> Iterator[str]:
    if isinstance(opened.error, SchemaError):
        yield opened.error.message.removeprefix(f"{opened.path}: ")


def _executables(opened: Opened) -> Iterator[str]:
    archive = _archive(opened)
    for plugin in archive.mpk.plugins:
        if plugin.processor in ("MLA", "A65") and not _member_of(archive, plugin.executable):
            yield f"{plugin.name}: {plugin.executable or 'no executable'} is not in the archive"


def _board_binary(opened: Opened) -> Iterator[str]:
    names = _archive(opened).lm_files
    if names and not any(name.endswith(".elf") for name in names):
        yield f"the binaries are {', '.join(names)}, which run on the simulator of this project and on no board"
    elif not names:
        yield "there is no binary for the MLA"


def _mla_batches(archive: Archive) -> Iterator[str]:
    for plugin in archive.mpk.plugins:
        if plugin.processor == "MLA" and plugin.desired_batch_size != plugin.actual_batch_size:
            yield f"{plugin.name}: desired {plugin.desired_batch_size}, actual {plugin.actual_batch_size}"


def _has_mla(archive: Archive) -> Iterator[str]:
    if not any(plugin.processor == "MLA" for plugin in archive.mpk.plugins):
        yield f"the processors are {', '.join(archive.mpk.processors) or 'none'}"


def _elf_tables(archive: Archive) -> Iterator[str]:
    for plugin in archive.mpk.plugins:
        name = _member_of(archive, plugin.executable) if plugin.processor == "MLA" else ""
        if name and archive.read_head(name, len(_ELF_MAGIC)) != _ELF_MAGIC:
            yield f"{plugin.name}: {name} is no ELF file"


def _everything_is_read(archive: Archive) -> Iterator[str]:
    document = archive.mpk.raw
    plugins = plugins_in_order(document)
    read = {node["name"] for plugin in plugins for node in plugin["input_nodes"]}
    published = plugins[-1]["output_nodes"] if plugins[-1]["config_params"].get("kernel") == "pass_through" else []
    ends = [node["name"] for plugin in plugins for node in plugin["output_nodes"] if node["name"] not in read]
    for node in document["input_nodes"]:
        if node["name"] not in read:
            yield f"the model input {node['name']!r} is read by no plugin"
    if published:
        handed_out = {node["name"] for node in published}
        yield from (f"{name!r} is neither read nor handed out" for name in ends if name not in handed_out)
    elif len(ends) > 1:
        yield f"{len(ends)} buffers end the pipeline and no pass_through says in which order they are handed out"


def _archive(opened: Opened) -> Archive:
    assert opened.archive is not None, "rules about members need the rules about the container"
    return opened.archive


def _member_of(archive: Archive, executable: str) -> str:
    """The member of that file name, in whatever folder; empty when there is none."""
    names = [file.name for file in archive.files if file.kind in (FileKind.MLA, FileKind.A65, FileKind.OTHER)]
    return next((name for name in names if executable and name.rsplit("/", 1)[-1] == executable), "")


#: What the loader of the public runtime looks at.
LOADER_RULES: tuple[Rule[Opened], ...] = (
    Rule("file_name", "The file is called *.tar.gz.", _file_name),
    Rule(
        "container",
        "It is a whole gzip-compressed tar with nothing behind its end: plain files and folders under safe, unique "
        "names, at most 2,048 entries, 32 MiB of JSON and 8 GiB in all, one of them *_mpk.json or mpk.json.",
        _container,
    ),
    Rule(
        "document",
        "The document is strict JSON: UTF-8, no key twice in one object, nesting up to 64, parts of the right kind.",
        _document,
        ("container",),
    ),
    Rule(
        "executables",
        "Every executable that an MLA or A65 plugin names is in the archive.",
        _executables,
        ("container", "document"),
    ),
    Rule("board_binary", "There is an .elf for the MLA.", _board_binary, ("container", "document")),
)
#: What the strict decoder asks beyond the document's own grammar.
BINARY_RULES: tuple[Rule[Archive], ...] = (
    Rule("has_mla", "There is at least one MLA plugin.", _has_mla, ("shape",)),
    Rule("mla_batches", "The desired batch size of every MLA plugin is its actual one.", _mla_batches, ("config",)),
    Rule(
        "elf_tables",
        "The binary of every MLA plugin is an ELF file, whose tables name its inputs and outputs.",
        _elf_tables,
        ("executables",),
    ),
    Rule(
        "everything_is_read",
        "Every buffer is read by a plugin or handed out at the end, and the order of several outputs is said.",
        _everything_is_read,
        ("shape", "inputs", "config"),
    ),
)
