"""The committed table: one row for each file that was tried, then what stood in the way, by rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.gallery.trial import Batch, Outcome, Verdict

#: How many operators a refusal names: what the cell of a table can hold.
NAMED_OPERATORS = 4
HEAD = """\
# Gallery results

Made by `make gallery`; README.md in this folder says what was done. {count} files of {networks} networks out of
{packages} packages: {verdicts}.
"""


def document(outcomes: Sequence[Outcome], packages: int) -> str:
    """The whole file as Markdown."""
    counts = Counter(outcome.verdict for outcome in outcomes)
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    networks = len({outcome.network for outcome in outcomes})
    head = HEAD.format(count=len(outcomes), networks=networks, packages=packages, verdicts=verdicts)
    return "\n".join([head, *_files(outcomes), "", *_obstacles(outcomes)]).rstrip() + "\n"


def _files(outcomes: Sequence[Outcome]) -> list[str]:
    header = ["network", "file", "verdict", "output elements", "differing", "tensors inside", "their elements",
              "differing", "cycles, batch 1", "cycles, batch 4", "left to the host"]  # fmt: skip
    return [_line(header), _line(["---"] * len(header)), *(_line(_row(outcome)) for outcome in outcomes)]


def _row(outcome: Outcome) -> list[str]:
    verdict = verdict_of(outcome) + _in_the_way(outcome)
    elements = sum(batch.elements for batch in outcome.batches)
    differing = sum(batch.differing for batch in outcome.batches)
    numbers = [f"{elements:,}", f"{differing:,}"] if outcome.batches else ["", ""]
    inside = outcome.inside
    numbers += [f"{inside.tensors}", f"{inside.elements:,}", f"{inside.differing:,}"] if inside else [""] * 3
    cycles = [_cycles(batch) for batch in outcome.batches] or ["", ""]
    return [outcome.network, outcome.form, verdict, *numbers, *cycles, ", ".join(outcome.host)]


def verdict_of(outcome: Outcome) -> str:
    """The verdict; how many listed nodes of which operators, where the file is exact but for them."""
    if outcome.verdict is not Verdict.LISTED:
        return str(outcome.verdict)
    count = len(outcome.listed)
    operators = ", ".join(sorted(set(outcome.listed.values())))
    return f"exact but for {count} listed node{'s' * (count != 1)} ({operators})"


def _in_the_way(outcome: Outcome) -> str:
    """Operators of the obstacles, the most frequent first."""
    counts = Counter(obstacle.operator for obstacle in outcome.obstacles if obstacle.operator)
    named = [f"{count} {operator}" for operator, count in counts.most_common(NAMED_OPERATORS)]
    named += ["others"] if len(counts) > NAMED_OPERATORS else []
    return f": {', '.join(named)}" if named else ""


def _cycles(batch: Batch) -> str:
    return f"{batch.cycles:,}" + ("" if batch.actual == batch.desired else f" (batch {batch.actual})")


def _obstacles(outcomes: Sequence[Outcome]) -> list[str]:
    lines: list[str] = []
    rules: dict[tuple[str, str], set[str]] = {}
    for outcome in outcomes:
        for obstacle in outcome.obstacles:
            rules.setdefault((obstacle.operator, obstacle.rule), set()).add(outcome.network)
    if rules:
        lines += ["## What stands in the way", "", _line(["operator", "rule", "networks"]), _line(["---"] * 3)]
        ordered = sorted(rules.items(), key=lambda item: (-len(item[1]), item[0]))
        lines += [_line([operator, rule, ", ".join(sorted(found))]) for (operator, rule), found in ordered]
        lines.append("")
    failed = [outcome for outcome in outcomes if outcome.error]
    if failed:
        lines += ["## What failed", "", *(f"- {entry.network}, {entry.form}: {entry.error}" for entry in failed)]
    return lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
