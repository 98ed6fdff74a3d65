"""A fixed tenth of the mutants that tests have killed: each must still be killed by the same test.

`make mutate` judges all of them, by all tests of their rooms.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.long.mutate.drawing import JUDGES, ROOT, Mutant, drawn
from tests.long.mutate.sites import mutated_source, sites_of

MUTATE = ROOT / "tests" / "long" / "mutate"


def test_a_tenth_of_the_mutants_is_killed_again() -> None:
    """In a process that has not imported our packages; one mutant that lives, or half of them gone, is a failure."""
    command = [sys.executable, "-m", "tests.long.mutate", "--tenth"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_survivor_has_its_reason() -> None:
    mutants = json.loads((MUTATE / "mutants.json").read_text("utf-8"))
    reasons = json.loads((MUTATE / "equivalent.json").read_text("utf-8"))
    assert reasons.keys() <= mutants.keys()
    assert all(len(reason.split()) >= 5 for reason in reasons.values())


def test_the_draw_is_spread_by_lines_and_always_the_same() -> None:
    found = drawn(60)
    assert found == drawn(60)
    assert len(set(found)) == 60
    rooms = {mutant.module.split("/")[0] for mutant in found}
    assert {"view", "stages", "archive", "machine", "lm"} <= rooms
    assert all((ROOT / path).exists() for row in JUDGES.values() for path in row)


def test_every_kind_of_fault_is_made() -> None:
    source = """
def f(a, b):
    a += 1
    g(b)
    if a < b:
        raise ValueError
    return max(a - b, a // b, 3)
"""
    names = [site.name for site in sites_of(source)]
    kinds = sorted(name.split(" ")[1] for name in names)
    assert kinds == ["boundary", *["dropped"] * 3, *["minus"] * 2, "other", *["plus"] * 2, *["swapped"] * 2, "turned"]
    changed = {name: mutated_source(source, name) for name in names}
    assert len(set(changed.values())) == len(names)
    assert "min(a - b, a // b, 3)" in (changed["f other 1"] or "")
    assert "b - a" in (changed["f swapped 1"] or "")
    assert "a >= b" in (changed["f turned 1"] or "")
    assert "a <= b" in (changed["f boundary 1"] or "")
    assert mutated_source(source, "f turned 2") is None
    assert Mutant("lm/format.py", "Opcode.read turned 1").dotted == "sima_compiler.lm.format"
