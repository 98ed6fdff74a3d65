"""Which mutants are drawn, and which tests judge each: by seed and by lines, none chosen by hand."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.long.mutate.sites import Site, sites_of

ROOT = Path(__file__).parents[3]
ENGINE = ROOT / "compiler" / "sima_compiler"
SEED, COUNT = 9, 210

#: Module or folder of the engine -> the tests that are there for it, folders or files. The most particular row counts.
JUDGES: dict[str, tuple[str, ...]] = {
    "arithmetic.py": ("tests/sim",),
    "realsums.py": ("tests/sim",),
    "rowwise.py": ("tests/sim",),
    "machine": ("tests/machine", "tests/sim"),
    "bounds": ("tests/model/test_bounds.py", "tests/model/test_bounds_counted.py"),
    "stages/tiling": ("tests/lowering",),
    "negotiate.py": ("tests/negotiation",),
    "reporting": ("tests/reporting",),
    "lm": ("tests/lm",),
    "archive": ("tests/archive",),
    "view": ("tests/view",),
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """``module`` below the engine's folder, ``name`` as in `Site`."""

    module: str
    name: str

    @property
    def tests(self) -> list[str]:
        """The test files of the module's row."""
        row = max((row for row in JUDGES if self.module == row or self.module.startswith(f"{row}/")), key=len)
        found = [
            str(file.relative_to(ROOT))
            for path in JUDGES[row]
            for file in ([ROOT / path] if path.endswith(".py") else sorted((ROOT / path).rglob("test_*.py")))
        ]
        assert found, f"no tests for {self.module}"
        return found

    @property
    def function(self) -> str:
        """The function or class that it stands in."""
        return self.name.split(" ")[0]

    @property
    def dotted(self) -> str:
        """The module's name in imports."""
        return ".".join(("sima_compiler", *Path(self.module).with_suffix("").parts)).removesuffix(".__init__")

    @property
    def source(self) -> str:
        """What the module holds today."""
        return (ENGINE / self.module).read_text("utf-8")


def modules() -> list[str]:
    """Every module that is mutated, in order."""
    found: list[str] = []
    for row in JUDGES:
        path = ENGINE / row
        files = [path] if path.suffix else sorted(path.rglob("*.py"))
        found += [str(file.relative_to(ENGINE)) for file in files]
    return found


def drawn(count: int = COUNT, seed: int = SEED) -> list[Mutant]:
    """Lines are drawn alike, whatever module they stand in; each gives the nearest site of its module not yet drawn."""
    chance = random.Random(seed)
    lengths = {module: len((ENGINE / module).read_text("utf-8").splitlines()) for module in modules()}
    left = {module: sites_of((ENGINE / module).read_text("utf-8")) for module in lengths}
    found: list[Mutant] = []
    while len(found) < count and any(left.values()):
        module, line = _line(lengths, chance.randrange(sum(lengths.values())))
        if left[module]:
            site = _nearest(left[module], line, chance)
            left[module].remove(site)
            found.append(Mutant(module, site.name))
    return found


def _line(lengths: Mapping[str, int], number: int) -> tuple[str, int]:
    for module, length in lengths.items():
        if number < length:
            return module, number + 1
        number -= length
    raise AssertionError(number)


def _nearest(sites: list[Site], line: int, chance: random.Random) -> Site:
    least = min(abs(site.line - line) for site in sites)
    return chance.choice([site for site in sites if abs(site.line - line) == least])
