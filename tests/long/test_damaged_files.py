"""500 of the damaged files of ``make test-long``, and those that were once read wrongly or ended in a traceback."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.long.mutated import BAD, CHUNK, GOOD, Finding, chunk, judge

#: Scales of a denormal number, 3.4e38 and another shape, zero points as scales, axes of scalars, sizes beyond memory.
#: From 3,603 on: biases of other scales, a weight scale of -0, an addend of scale 1e30, readers that reach no output.
ONCE_WRONG = (180, 428, 591, 1024, 1167, 1418, 2206, 2485, 2550, 3141, 3296, 3416, 3695, 4620, 5092, 16534,
              3603, 7116, 9154, 12723, 14057, 6366)  # fmt: skip


@pytest.mark.parametrize("first", [0, CHUNK])
def test_damaged_files_end_in_an_error_or_in_the_right_numbers(first: int) -> None:
    findings = chunk(first, CHUNK)
    assert len(findings) == CHUNK
    assert not [found for found in findings if found.verdict in BAD]
    counts = Counter(found.verdict for found in findings)
    assert set(counts) <= set(GOOD)
    assert counts["equal"] >= 15, "too few files are read for the comparison to say anything"


@pytest.mark.parametrize("seed", ONCE_WRONG)
def test_files_that_were_once_wrong(tmp_path: Path, seed: int) -> None:
    found = judge(seed, tmp_path)
    assert found.verdict in GOOD, found.detail


def test_every_way_to_fail_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback, a hang and wrong numbers each get their verdict: a judge that sees nothing would pass all files."""
    from tests.long import mutated

    def wrong(seed: int, path: Path) -> Finding:
        raise AssertionError("numbers differ")

    def broken(seed: int, path: Path) -> Finding:
        return Finding(int("no number"), "")

    def slow(seed: int, path: Path) -> Finding:
        while True:
            pass

    monkeypatch.setattr(mutated, "SECONDS", 1)
    for compared, verdict in ((wrong, "wrong"), (broken, "traceback"), (slow, "hang")):
        monkeypatch.setattr(mutated, "compared", compared)
        assert judge(0, tmp_path).verdict == verdict
