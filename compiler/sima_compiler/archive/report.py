"""The compile report, `*_compile_report.json`: this project's own member of the archive.

In: JSON bytes, or a `CompileReport`. Out: the other one; nothing else parses or writes a report. The shape stands in
``schemas/compile_report.schema.json``. Always holds: a report of an older version is read, with what it lacks "not
recorded"; one of a newer minor version is read as far as it is known; one of a newer major version is refused.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

from sima_compiler.archive.report_records import CompileReport
from sima_compiler.archive.report_versions import upgraded
from sima_compiler.archive.strict_json import LARGEST_JSON, dump_json, parse_json
from sima_compiler.archive.typed_json import decode
from sima_compiler.errors import SchemaError, UnsupportedVersionError

#: Version of the report's shape: the major number changes when old readers would misread it.
REPORT_SCHEMA_VERSION = "2.1"

_VERSION = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})")


def parse_report(data: bytes, *, entry: str = "compile_report.json", largest: int = LARGEST_JSON) -> CompileReport:
    """The report in ``data``; ``entry`` names it in errors. ``schema_version`` stays the one that the file has.

    Raises:
        SizeLimitError: more than ``largest`` bytes. SchemaError: not strict JSON, not an object, no version, or a value
            of the wrong kind. UnsupportedVersionError: a newer major version.
    """
    report = parse_json(data, entry, largest=largest)
    if not isinstance(report, dict):
        raise SchemaError(f"{entry}: the report must be an object", entry=entry)
    version = report.get("schema_version")
    found = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if not found:
        raise SchemaError(f"{entry}: schema_version must be a text like '1.0', found {version!r}", entry=entry)
    major, known = int(found[1]), int(REPORT_SCHEMA_VERSION.split(".", maxsplit=1)[0])
    if not 1 <= major <= known:
        raise UnsupportedVersionError(
            f"{entry}: schema_version {version} is not readable here; this release reads 1.0 to {known}.x",
            entry=entry,
            hint="upgrade sima-nb, or compile the model again with this release",
        )
    return decode(CompileReport, upgraded(report, major), entry)


def dump_report(report: CompileReport) -> bytes:
    """JSON text of a report; keys keep their order."""
    return dump_json(report.to_dict())


def report_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a report."""
    text = (resources.files("sima_compiler.archive") / "schemas" / "compile_report.schema.json").read_text("utf-8")
    return json.loads(text)
