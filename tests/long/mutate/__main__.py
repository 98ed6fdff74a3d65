"""`make mutate`: draws mutants, judges each by its tests, and writes ``mutants.json`` and the section of results.md.

``python -m tests.long.mutate [--count N] [--seed S] [--only FIRST:END] [--again]``: with ``--only`` that part of the
list; verdicts that stand in the file are kept, but for survivors with ``--again``. Exits with 1 where a survivor is
neither killed by a test nor told to be equivalent in ``equivalent.json``. With ``--tenth`` nothing is drawn or written:
every tenth mutant of the file that a test killed is judged by that test once more.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from tests.long.mutate.drawing import COUNT, SEED, Mutant, drawn
from tests.long.mutate.judging import GONE, SURVIVED, chosen, judge, load, prepare, reach
from tests.long.mutate.sites import shown
from tests.long.sections import write_section

MUTANTS = Path(__file__).with_name("mutants.json")
EQUIVALENT = Path(__file__).with_name("equivalent.json")
#: A mutant may take so many times as long as its tests do, and as many seconds more.
PATIENCE, SECONDS = 4, 60


def main() -> int:
    """Judge; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default=":", metavar="FIRST:END")
    parser.add_argument("--again", action="store_true", help="judge survivors again")
    parser.add_argument("--times", type=Path, help="a file that keeps what tests call and how long they take")
    parser.add_argument("--tenth", action="store_true", help="every tenth of the file, by the test that killed it")
    options = parser.parse_args()
    prepare()
    if options.tenth:
        return _tenth()
    first, end = (int(text) if text else None for text in options.only.split(":"))
    mutants = drawn(options.count, options.seed)
    _judge_all(mutants[first:end], options.times, again=options.again)
    verdicts = load(MUTANTS)
    found = {key(mutant): verdicts[key(mutant)] for mutant in mutants if key(mutant) in verdicts}
    if len(found) == len(mutants):
        _write(found, replace=True)
    write_section(report(found, options.seed, len(mutants)))
    return int(
        any(entry and entry["status"] == SURVIVED and name not in load(EQUIVALENT) for name, entry in found.items())
    )


def key(mutant: Mutant) -> str:
    """How a mutant is named in files."""
    return f"{mutant.module} {mutant.name}"


def _judge_all(mutants: list[Mutant], kept: Path | None, *, again: bool) -> None:
    reached: dict[str, Any] = load(kept) if kept else {}
    for number, mutant in enumerate(mutants):
        known = load(MUTANTS).get(key(mutant))
        if known and not (again and known["status"] == SURVIVED):
            continue
        for file in mutant.tests:
            if file not in reached:
                reached[file] = reach(file)
                if kept:
                    kept.write_text(json.dumps({**load(kept), **reached}), "utf-8")
        mine = {file: reached[file] for file in mutant.tests}
        limit = PATIENCE * sum(found["seconds"] for found in mine.values()) + SECONDS
        verdict = judge(mutant, chosen(mine, mutant), limit)
        change = shown(mutant.source, mutant.name)
        entry = {"change": change, "status": verdict.status, "killer": verdict.killer, "seconds": verdict.seconds}
        _write({key(mutant): entry})
        print(f"{number}: {verdict.status} {verdict.seconds} s: {key(mutant)}: {change}  {verdict.killer}", flush=True)


def _write(entries: dict[str, Any], *, replace: bool = False) -> None:
    lock = os.open(MUTANTS.parent, os.O_RDONLY)  # several processes may judge parts of the list
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole = entries if replace else {**load(MUTANTS), **entries}
        MUTANTS.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")
    finally:
        os.close(lock)


def _tenth() -> int:
    """What the tests run: nothing is drawn, so that a change of one module does not change the choice of others."""
    names = [name for name, entry in load(MUTANTS).items() if "::" in entry["killer"]][::10]
    wrong: list[str] = []
    gone = 0
    for name in names:
        module, _, site = name.partition(" ")
        verdict = judge(Mutant(module, site), [load(MUTANTS)[name]["killer"]], SECONDS)
        gone += verdict.status == GONE
        if verdict.status == SURVIVED:
            wrong.append(name)
        print(f"{verdict.status} {verdict.seconds} s: {name}", flush=True)
    print(f"{len(names)} mutants, {gone} of them no longer in the sources; alive: {wrong}")
    return int(bool(wrong) or 2 * gone > len(names))


def report(found: dict[str, Any], seed: int, count: int) -> str:
    """The section of the results page."""
    equivalent = load(EQUIVALENT)
    rooms: dict[str, Counter[str]] = {}
    for name, entry in found.items():
        status = "equivalent" if entry["status"] == SURVIVED and name in equivalent else entry["status"]
        rooms.setdefault(name.split("/")[0].split(" ")[0], Counter())[status] += 1
    rooms["all"] = sum(rooms.values(), Counter[str]())
    rows = "\n".join(f"| {room} | {_numbers(counts)} |" for room, counts in sorted(rooms.items()))
    return f"""# Mutants

`make mutate`, seed {seed}, {len(found)} of {count} drawn were judged: one thing made wrong at a time, judged by the
tests of its room alone (tests/long/mutate/drawing.py). *Equivalent*: no result can tell, for the reason in
tests/long/mutate/equivalent.json. Survivors stand in tests/long/mutate/mutants.json.

| Room | Mutants | Killed | Equivalent | Survived |
|---|---|---|---|---|
{rows}
"""


def _numbers(counts: Counter[str]) -> str:
    killed = counts["killed"] + counts["hangs"]
    return f"{counts.total()} | {killed} | {counts['equivalent']} | {counts['survived']}"


if __name__ == "__main__":
    raise SystemExit(main())
