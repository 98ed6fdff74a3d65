"""Symbols of ELF files: a real one from an installed package, and damaged ones."""

from __future__ import annotations

import importlib.machinery
import random
from importlib import util
from pathlib import Path

import pytest

from sima_compiler.archive.elf import read_elf
from sima_compiler.errors import InvalidArchiveError
from tests.support.elf_files import tiny_elf


@pytest.fixture(scope="module")
def extension_module() -> bytes:
    """A shared object that the interpreter loads by a symbol that it must define."""
    found = util.find_spec("numpy._core._multiarray_umath")
    assert found is not None
    assert isinstance(found.loader, importlib.machinery.ExtensionFileLoader)
    return Path(found.loader.path).read_bytes()


@pytest.fixture(scope="module")
def small() -> bytes:
    return tiny_elf([(b"a65_run", 0x12, 1, 0x1000, 64), (b"expf", 0x10, 0, 0, 0)])


def test_a_real_shared_object_defines_what_the_interpreter_loads_it_by(extension_module: bytes) -> None:
    found = {symbol.name: symbol for symbol in read_elf(extension_module).symbols}
    entry = found["PyInit__multiarray_umath"]
    assert (entry.kind, entry.is_defined, entry.binding) == ("function", True, "global")
    assert entry.bytes > 0
    taken = found["PyErr_SetString"]
    assert not taken.is_defined


def test_every_field(small: bytes) -> None:
    found = read_elf(small)
    assert found.machine == "AArch64"
    run, expf = found.symbols
    assert (run.name, run.kind, run.binding, run.is_defined, run.address, run.bytes) == (
        "a65_run", "function", "global", True, 0x1000, 64,
    )  # fmt: skip
    assert (expf.name, expf.kind, expf.is_defined) == ("expf", "", False)


def test_cut_anywhere_it_is_refused(small: bytes) -> None:
    for length in range(len(small)):  # its section headers stand last
        with pytest.raises(InvalidArchiveError) as caught:
            read_elf(small[:length], "x.so")
        assert caught.value.entry == "x.so"


def test_flipped_bytes_end_in_symbols_or_in_our_error(small: bytes) -> None:
    dice = random.Random(7)
    for _ in range(2000):
        data = bytearray(small)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(4, len(data))] = dice.randrange(256)
        try:
            read_elf(bytes(data))
        except InvalidArchiveError:
            continue


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"MZ" * 40, b"\x7fELF\x03\x01" + bytes(100)])
def test_what_is_no_elf_file_is_said(data: bytes) -> None:
    with pytest.raises(InvalidArchiveError, match="no ELF file"):
        read_elf(data, "a.so")
