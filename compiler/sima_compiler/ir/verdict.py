"""What a network's placement comes to, in one line that every form shows.

In: how many segments either processor has, and the nodes of the A65. Out: a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Nodes that the line names; all of them stand below it.
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class HostedWork:
    """A node of the A65 and its part of the network's multiply-accumulates."""

    operator: str
    node: str
    share: float


def verdict_of(mla_segments: int, host_segments: int, hosted: Sequence[HostedWork]) -> str:
    """``1 MLA segment, 0 host layers``, or how many, which, and how much of the work they are."""
    head = f"{_counted(mla_segments, 'MLA segment')}, {_counted(len(hosted), 'host layer')}"
    if not hosted:
        return head
    named = ", ".join(f"{one.operator} {one.node!r}" for one in hosted[:MOST_NAMED])
    more = f" and {len(hosted) - MOST_NAMED} more" if len(hosted) > MOST_NAMED else ""
    share = 100 * sum(one.share for one in hosted)
    return f"{head} in {_counted(host_segments, 'A65 segment')} with {share:.3g} % of the MACs: {named}{more}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
