"""What `simac check` found, as a person is shown it: a verdict in one line, then every obstacle.

In: obstacles and what surrounds them. Out: `CheckReport`, with a text and an HTML form that hold the same facts.
Always: obstacles that differ in their place alone stand together, none is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sima_compiler.archive.report_records import HostLayer
from sima_compiler.archive.typed_json import encode
from sima_compiler.obstacle import Obstacle
from sima_compiler.screen import printable
from sima_compiler.view import plain, units
from sima_compiler.view.hosts import host_markup, host_text
from sima_compiler.view.html import plain as markup

#: Nodes of one kind of obstacle that are named; the rest is counted.
MOST_NODES = 6


class ModelKind(StrEnum):
    """What kind of file a model is."""

    QUANTIZED = "quantized"
    FLOAT = "float"
    DYNAMIC = "dynamically quantized"
    WEIGHT_ONLY = "weight-only quantized"
    UNREADABLE = "not readable"


@dataclass(frozen=True, slots=True, repr=False)
class CheckReport:
    """Whether a model compiles, and everything that stands in the way.

    ``compiles``: no obstacle is left (a float model still has to be quantized with samples). ``nodes`` counts the
    file's nodes, ``macs`` the multiply-accumulates of one sample (None: shapes are unknown). ``placement``: segments
    and host layers in one line, empty while obstacles are left; ``host_layers``: nodes that the A65 runs.
    ``left_to_host`` names operators at the end that the archive does not hold.
    """

    path: str
    kind: ModelKind
    compiles: bool
    verdict: str
    obstacles: tuple[Obstacle, ...]
    nodes: int
    macs: int | None
    placement: str = ""
    host_layers: tuple[HostLayer, ...] = ()
    left_to_host: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The keys that ``simac check --json`` prints."""
        return {
            "path": self.path,
            "kind": str(self.kind),
            "compiles": self.compiles,
            "verdict": self.verdict,
            "nodes": self.nodes,
            "macs": self.macs,
            "placement": self.placement,
            "host_layers": [encode(layer) for layer in self.host_layers],
            "obstacles": [obstacle.to_dict() for obstacle in self.obstacles],
            "left_to_host": list(self.left_to_host),
            "warnings": list(self.warnings),
        }

    def __repr__(self) -> str:
        return check_text(self)

    def _repr_html_(self) -> str:
        return check_markup(self)


def check_text(report: CheckReport) -> str:
    """The report for a terminal."""
    parts = [plain.pairs(_facts(report))]
    for number, group in enumerate(_groups(report.obstacles), 1):
        lines = [f"{number}. {printable(_places(group))}", f"   {printable(group[0].found)}"]
        for label, value in _details(group, report.macs):
            lines.append(f"   {label}: {printable(value)}")
        parts.append("\n".join(lines))
    if report.host_layers:
        parts.append(host_text(report.host_layers))
    return "\n\n".join(parts)


def check_markup(report: CheckReport) -> str:
    """The report as HTML that needs no script."""
    rows = [
        (_places(group), group[0].found, group[0].rule, group[0].hint, _work(group, report.macs))
        for group in _groups(report.obstacles)
    ]
    columns = ("Where", "What is there", "Rule", "What to do", "Multiply-accumulates")
    tables = [markup.table(f"Obstacles ({len(report.obstacles)})", columns, rows)] if rows else []
    tables += [host_markup(report.host_layers)] if report.host_layers else []
    return markup.report("check", markup.pairs("Check", _facts(report)), *tables)


def _facts(report: CheckReport) -> list[tuple[str, str]]:
    return [
        ("model", f"{report.path}  ({report.kind})"),
        *plain.paragraph("verdict", report.verdict),
        ("nodes", units.count(report.nodes) if report.nodes else ""),
        ("work", f"{units.short_count(report.macs)} multiply-accumulates per sample" if report.macs else ""),
        *plain.paragraph("placement", report.placement),
        *(("left to host", operator) for operator in report.left_to_host),
        *(("warning", warning) for warning in report.warnings),
    ]


def _groups(obstacles: Sequence[Obstacle]) -> list[list[Obstacle]]:
    """Obstacles that differ in their node alone, in the order of the first of each kind."""
    groups: dict[tuple[str, str, str, str], list[Obstacle]] = {}
    for obstacle in obstacles:
        advice = obstacle.hint.partition(": ")[0]  # behind it stands a command with this node's own names
        key = (obstacle.operator, obstacle.found, obstacle.rule, advice)
        groups.setdefault(key, []).append(obstacle)
    return list(groups.values())


def _places(group: Sequence[Obstacle]) -> str:
    nodes = [plain.shortened(obstacle.node) for obstacle in group if obstacle.node]
    if not nodes:
        return "the whole file"
    more = f" and {len(nodes) - MOST_NODES} more" if len(nodes) > MOST_NODES else ""
    count = f"{len(nodes)} nodes" if len(nodes) > 1 else "node"
    return f"{group[0].operator}, {count} {', '.join(nodes[:MOST_NODES])}{more}"


def _details(group: Sequence[Obstacle], total: int | None) -> list[tuple[str, str]]:
    first = group[0]
    details = [("rule", first.rule), ("do", first.hint), ("multiply-accumulates", _work(group, total))]
    return [(label, value) for label, value in details if value]


def _work(group: Sequence[Obstacle], total: int | None) -> str:
    """The work in front of the first and behind the last of them, as counts and shares."""
    known = [obstacle for obstacle in group if obstacle.macs_before is not None and obstacle.macs_behind is not None]
    if not known:
        return ""
    before = min(obstacle.macs_before or 0 for obstacle in known)
    behind = min(obstacle.macs_behind or 0 for obstacle in known)
    front, back = _share(before, total), _share(behind, total)
    if len(known) > 1:
        return f"{front} in front of the first, {back} behind the last"
    return f"{front} in front of it, {back} behind it"


def _share(macs: int, total: int | None) -> str:
    return units.short_count(macs) + (f" ({units.percent(min(macs / total, 1.0))})" if total else "")


def verdict_of(kind: ModelKind, path: str, *, obstacles: int, left_to_host: Sequence[str]) -> str:
    """The verdict in one line, for a number of obstacles and operators that the host runs at the end."""
    many = f"{obstacles} obstacle{'s' if obstacles != 1 else ''}"
    if kind is ModelKind.FLOAT and not obstacles:
        return f"a float model that compiles once it is quantized: simac quantize {path} --calibration SAMPLES.npz -o ."
    if kind is ModelKind.FLOAT:
        return f"a float model with {many}: quantizing alone would not make it compile"
    if kind is ModelKind.DYNAMIC:
        return f"dynamically quantized, {many}: quantize the float model with samples instead (simac quantize)"
    if kind is ModelKind.WEIGHT_ONLY:
        return f"weight-only quantized, {many}: quantize the float model with samples instead (simac quantize)"
    if kind is ModelKind.UNREADABLE:
        return "no model that can be read"
    if obstacles:
        return f"does not compile: {many}"
    host = f"; the host runs {', '.join(left_to_host)} at the end" if left_to_host else ""
    return f"compiles{host}"
