"""Names of archive members: which are safe, and what each member is.

In: a member's name as the tar header has it. Out: the same name normalised (no ``./``, no doubled slash), or an error.
Always holds: a name that passes stays inside any folder that it is extracted to, on every operating system.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from sima_compiler.errors import InvalidArchiveError, PathTraversalError

#: How the file name of every archive ends that is written here.
ARCHIVE_SUFFIX = "_mpk.tar.gz"
#: How the file names of archives end that others publish.
ARCHIVE_ENDINGS = (".tar.gz", ".tgz")

#: Characters drawn like a slash, a backslash or a dot that compatibility normalisation leaves alone.
_LOOK_ALIKES = frozenset(
    "\u2044\u2215\u2571\u27cb\u29f8\u1735\u2041\u0337\u0338"  # slash
    "\u2216\u2572\u27cd\u29f5\u29f9\u20e5\u244a"  # backslash
    "\u0660\u06f0\u0701\u0702\u3002\uff61\ua4f8\ua60e\U00010a50\U0001d16d"  # dot
)
_LONGEST = 1024
_DEEPEST = 64
_INVISIBLE = ("Cc", "Cf", "Zl", "Zp")
_DRIVE = re.compile(r"[A-Za-z]:")
_STAGE = re.compile(r"_stage(\d{1,9})_")
# What browsers put into the name of a second download: "net_mpk (1).tar.gz", "net_mpk(1).tar.gz", "net_mpk.tar-1.gz".
_ARCHIVE_NAME = re.compile(
    r"(.+?)(?:[_-]mpk)?(?:\s?\(\d{1,6}\))?(?:\.tgz|\.tar(?:\s?\(\d{1,6}\)|-\d{1,6})?\.gz)", re.IGNORECASE | re.DOTALL
)


class FileKind(StrEnum):
    """What a member is, told by its name."""

    MPK = "mpk"
    REPORT = "report"
    STATS = "stats"
    MLA = "mla"
    A65 = "a65"
    JSON = "json"
    YAML = "yaml"
    OTHER = "other"


_KINDS = (
    ("_mpk.json", FileKind.MPK),
    ("-mpk.json", FileKind.MPK),
    ("_compile_report.json", FileKind.REPORT),
    ("_mla_stats.yaml", FileKind.STATS),
    ("_mla_stats.yml", FileKind.STATS),
    (".lm", FileKind.MLA),
    (".elf", FileKind.MLA),
    (".so", FileKind.A65),
    (".json", FileKind.JSON),
    (".yaml", FileKind.YAML),
    (".yml", FileKind.YAML),
)


_WHOLE_NAMES = {"mpk.json": FileKind.MPK, "mla_stats.yaml": FileKind.STATS, "mla_stats.yml": FileKind.STATS}


def kind_of(name: str) -> FileKind:
    """The member's kind. Files that macOS adds beside each real one (``._name``) are of no kind."""
    base = name.rsplit("/", 1)[-1].lower()
    if base.startswith("._"):
        return FileKind.OTHER
    if base in _WHOLE_NAMES:
        return _WHOLE_NAMES[base]
    return next((kind for ending, kind in _KINDS if name.lower().endswith(ending)), FileKind.OTHER)


def is_archive_name(file_name: str) -> bool:
    """Whether a file is called like a gzip-compressed tar."""
    return file_name.lower().endswith(ARCHIVE_ENDINGS)


def archive_name(file_name: str) -> str:
    """The model's name in an archive's file name: ``resnet50`` for ``resnet50_mpk (1).tar.gz`` and ``resnet50.tgz``."""
    found = _ARCHIVE_NAME.fullmatch(file_name)
    return found[1] if found else file_name.removesuffix(ARCHIVE_SUFFIX)


def stage_order(name: str) -> tuple[int, str]:
    """Sort key that puts ``..._stage2_...`` before ``..._stage10_...`` and names without a stage last."""
    found = _STAGE.search(name)
    return (int(found[1]) if found else 1 << 62, name)


def safe_name(name: str) -> str:
    """``name`` normalised; an empty text for the archive's own root folder.

    Raises:
        PathTraversalError: absolute, ``..``, a drive prefix, a backslash, invalid UTF-8, an imitated separator or dot.
        InvalidArchiveError: control or invisible formatting characters; too long or too deep.
    """
    _check_characters(name)
    if name.startswith("/"):
        raise _unsafe(name, "an absolute path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if len(parts) > _DEEPEST or len(name) > _LONGEST:
        short = ascii(name[:40])[1:-1] + "..."
        raise InvalidArchiveError(
            f"entry {short}: longer than {_LONGEST} characters or deeper than {_DEEPEST} folders", entry=short
        )
    for part in parts:
        if _DRIVE.match(part):
            raise _unsafe(name, f"a drive prefix ({part[:2]})")
        if not part.strip(" ."):
            raise _unsafe(name, f"the component {part!r}, which can climb out of its folder")
    return "/".join(parts)


def collision_key(name: str) -> str:
    """Equal for two names that one file system may take for the same file: canonical Unicode form."""
    return unicodedata.normalize("NFC", name)


def _check_characters(name: str) -> None:
    if any("\ud800" <= char <= "\udfff" for char in name):
        raise _unsafe(name, "bytes that are not valid UTF-8")
    if "\\" in name:
        raise _unsafe(name, "a backslash, which other systems take for a separator")
    for char in name:
        if not char.isascii() and _imitates(char):
            raise _unsafe(name, f"U+{ord(char):04X}, which imitates a slash, a backslash or a dot")
        if unicodedata.category(char) in _INVISIBLE:
            raise InvalidArchiveError(
                f"entry {name!a} holds the invisible character U+{ord(char):04X}", entry=ascii(name)[1:-1]
            )


def _imitates(char: str) -> bool:
    return char in _LOOK_ALIKES or any(c in "/\\." or c in _LOOK_ALIKES for c in unicodedata.normalize("NFKC", char))


def _unsafe(name: str, what: str) -> PathTraversalError:
    return PathTraversalError(f"entry {name!a} holds {what}", entry=ascii(name)[1:-1])
