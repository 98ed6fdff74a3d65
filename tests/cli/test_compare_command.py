"""`simac compare`: the numbers of the comparison as text and JSON, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sima_compiler.view import compare_paths

OTHER = Path(__file__).parents[1] / "archive" / "samples" / "report_1_0_tiny_mpk.tar.gz"


def test_the_command_says_the_same_as_text_and_json(simac, archive: Path) -> None:
    data = simac("compare", archive, OTHER, "--json").json
    assert data == compare_paths(archive, OTHER).to_dict()
    text = simac("compare", archive, OTHER).out
    for row in data["layers"]:
        (line,) = (line for line in text.splitlines() if line.startswith(f"{row['name']} "))
        assert f" {row['after']:,} " in line
        assert (f" {row['change']:+,}".replace("-", "\N{MINUS SIGN}") if row["change"] else " 0 ") in f"{line} "
        assert ("added" in line) == (row["what"] == "added")
    shares = sorted(100 * abs(row["change"]) / row["before"] for row in data["layers"])
    over = (shares[-1] + shares[-2]) / 2  # one layer changed by more
    few = simac("compare", archive, OTHER, "--over", over, "--json").json["layers"]
    wanted = [row for row in data["layers"] if 100 * abs(row["change"]) > over * row["before"]]
    assert few == sorted(wanted, key=lambda row: -abs(row["change"]))
    assert 0 < len(few) < len(data["layers"])


def test_a_threshold_may_have_its_sign(simac, archive: Path) -> None:
    plain, signed = (simac("compare", archive, OTHER, "--over", over, "--json").json for over in ("5", "5%"))
    assert plain == signed
    done = simac("compare", archive, OTHER, "--over", "five")
    assert (done.code, "'five' is no number of percent" in done.err) == (2, True)


@pytest.mark.parametrize("over", ["-1", "nan", "inf"])
def test_a_threshold_that_means_nothing_is_refused(simac, over: str) -> None:
    done = simac("compare", "a.yaml", "b.yaml", f"--over={over}", "--json")
    assert done.code == 1
    assert "--over" in done.json["error"]["message"]


def test_a_missing_side_is_named(simac, archive: Path) -> None:
    done = simac("compare", archive, "nowhere_mpk.tar.gz")
    assert done.code == 1
    assert "nowhere_mpk.tar.gz" in done.err
    assert "Traceback" not in done.err
