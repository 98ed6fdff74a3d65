"""Host layers as a person is shown them: which nodes the A65 runs, why, and what would move them back.

In: `HostLayer` records. Out: a text and a table of HTML with the same facts.
"""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.archive.report_records import HostLayer
from sima_compiler.view import plain, units
from sima_compiler.view.html import plain as markup
from sima_compiler.view.html.markup import Markup

TITLE = "Host layers: what the A65 runs"
COLUMNS = ("node", "operator", "segment", "MACs", "why", "what would move it to the MLA")


def host_rows(layers: Sequence[HostLayer]) -> list[tuple[str, ...]]:
    """A row per layer."""
    return [
        (
            plain.shortened(layer.node),
            layer.operator,
            layer.segment,
            units.percent(layer.share),
            reason_of(layer),
            layer.remedy,
        )
        for layer in layers
    ]


def reason_of(layer: HostLayer) -> str:
    """The reason, with the rule that it breaks."""
    return f"{layer.reason}; rule: {layer.rule}" if layer.rule else layer.reason


def host_text(layers: Sequence[HostLayer]) -> str:
    """The layers for a terminal: a node per paragraph, for reasons are sentences."""
    lines = [TITLE]
    for node, operator, segment, share, reason, remedy in host_rows(layers):
        lines.append(f"  {operator} {node} ({segment}, {share} of the MACs)")
        lines.append(f"    {reason}")
        lines += [f"    to move it back: {remedy}"] if remedy else []
    return "\n".join(lines)


def host_markup(layers: Sequence[HostLayer]) -> Markup:
    """The layers as a table."""
    return markup.table(TITLE, COLUMNS, host_rows(layers), right=(3,))
