"""What `gallery.yaml` says, as records.

In: the YAML file. Out: packages and networks. Always: every network names a package that is there; a key that is not
known is an error, so that a slip of the pen cannot quietly change what is tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CATALOGUE = Path(__file__).parent / "gallery.yaml"
#: Steps into an archive that lies inside an archive.
INTO = "!"


@dataclass(frozen=True, slots=True)
class Package:
    """A distribution on the package index: the very file, by its SHA-256."""

    name: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Network:
    """A network inside a package. ``inputs``: shapes that the file leaves open; ``values``: range of the samples."""

    name: str
    package: Package
    path: tuple[str, ...]
    inputs: Mapping[str, tuple[int, ...]]
    values: tuple[float, float]

    @property
    def is_tflite(self) -> bool:
        """Whether it must be converted first."""
        return self.path[-1].endswith(".tflite")

    @property
    def file(self) -> str:
        """What its file is called once it is taken out: unique among all networks."""
        return self.name + Path(self.path[-1]).suffix


def read_catalogue(path: Path = CATALOGUE) -> tuple[Network, ...]:
    """Every network, in the file's order.

    Raises:
        ValueError: a key is unknown or missing, or a network names no package of the file.
    """
    document = yaml.safe_load(path.read_text("utf-8"))
    packages = {name: _package(name, entry) for name, entry in document["packages"].items()}
    return tuple(_network(name, entry, packages) for name, entry in document["networks"].items())


def _package(name: str, entry: Mapping[str, Any]) -> Package:
    _check_keys(f"package {name}", entry, {"version", "file", "sha256"}, set())
    return Package(name=name, version=str(entry["version"]), file=entry["file"], sha256=entry["sha256"])


def _network(name: str, entry: Mapping[str, Any], packages: Mapping[str, Package]) -> Network:
    _check_keys(f"network {name}", entry, {"package", "path"}, {"inputs", "values"})
    if entry["package"] not in packages:
        raise ValueError(f"network {name}: package {entry['package']!r} is not listed")
    low, high = entry.get("values", (-1, 1))
    return Network(
        name=name,
        package=packages[entry["package"]],
        path=tuple(entry["path"].split(INTO)),
        inputs={key: tuple(int(size) for size in shape) for key, shape in entry.get("inputs", {}).items()},
        values=(float(low), float(high)),
    )


def _check_keys(what: str, entry: Mapping[str, Any], needed: set[str], optional: set[str]) -> None:
    missing, unknown = needed - set(entry), set(entry) - needed - optional
    if missing or unknown:
        raise ValueError(f"{what}: missing {sorted(missing)}, unknown {sorted(unknown)}")
