"""THIRD_PARTY.md names every package that a default install brings in directly, under its own stated licence."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
#: Older metadata spells licences freely; these are the spellings in use and the SPDX names they stand for.
SPELLINGS = {
    "mit license": "MIT",
    "the mit license": "MIT",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license v2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "isc license (iscl)": "ISC",
    "python software foundation license": "PSF-2.0",
}
COPYLEFT = re.compile(r"\b[AL]?GPL", re.IGNORECASE)


def default_dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return [Requirement(text).name for text in project["project"]["dependencies"]]


def stated_licence(package: str) -> str:
    """The licence in the package's own metadata: SPDX expression, else short field, else classifier."""
    found = metadata.metadata(package)
    texts: list[str] = [*(found.get_all("License-Expression") or []), *(found.get_all("License") or [])]
    texts += [line.rsplit(" :: ", 1)[-1] for line in found.get_all("Classifier") or [] if line.startswith("License ::")]
    text = next((text.strip() for text in texts if text.strip() and len(text) < 100), "")
    return SPELLINGS.get(text.lower(), text)


def main_licence(expression: str) -> str:
    """The first licence of an expression: further ones cover files that a wheel carries along and vary by release."""
    return re.split(r"\s+(?:AND|OR|WITH)\s+", expression.strip("() "))[0]


def listed_licences() -> dict[str, str]:
    text = (ROOT / "THIRD_PARTY.md").read_text("utf-8")
    rows = re.findall(r"^\| ([A-Za-z][\w.-]*) \| ([^|]+) \|", text, re.MULTILINE)
    return {name.lower(): licence.strip() for name, licence in rows if name != "Package"}


def closure(names: list[str]) -> set[str]:
    """Everything that the named packages need at run time, as installed here."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return seen


@pytest.mark.parametrize("package", default_dependencies())
def test_each_default_dependency_is_listed_under_its_licence(package: str) -> None:
    listed = listed_licences()
    assert package.lower() in listed, f"add a row for {package} ({stated_licence(package)}) to THIRD_PARTY.md"
    assert main_licence(listed[package.lower()]) == main_licence(stated_licence(package))


def test_nothing_is_listed_that_is_not_used() -> None:
    assert set(listed_licences()) == {name.lower() for name in default_dependencies()}


def test_no_default_dependency_is_copyleft() -> None:
    packages = sorted(closure(default_dependencies()))
    assert len(packages) > len(default_dependencies())
    wrong = {package: stated_licence(package) for package in packages if COPYLEFT.search(stated_licence(package))}
    assert not wrong
    unknown = [package for package in packages if not stated_licence(package)]
    assert not unknown, f"without a stated licence: {unknown}"


def test_our_own_licence_is_what_we_say() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    licence = (ROOT / project["license-files"][0]).read_text("utf-8")
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in licence
    assert "Version 2.0, January 2004" in licence
