"""Spelling does not matter: a rewrite that keeps the meaning of a file gives the same ``.lm``, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Archive, Model
from tests.spelling.constants import CONSTANTS
from tests.spelling.networks import NETWORKS, plain
from tests.spelling.operators import OPERATORS
from tests.spelling.sheet import Rewrite, Sheet
from tests.spelling.structure import STRUCTURE
from tests.support.judges import assert_judges_agree
from tests.support.qdq_graph import INT8, UINT8

REWRITES: dict[str, Rewrite] = {rewrite.__name__: rewrite for rewrite in (*CONSTANTS, *STRUCTURE, *OPERATORS)}
KINDS = {"int8": INT8, "uint8": UINT8}


class Compiled:
    """Makes the ``.lm`` bytes of a model; those of the plain spellings once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plain: Callable[[str], bytes] = cache(self._plain)

    def __call__(self, model: onnx.ModelProto | Path) -> bytes:
        result = Model.from_onnx(model, "spelled").compile(str(self.folder), 2, machine="tiny")
        archive = Archive.open(result.path)
        return b"".join(archive.read(name) for name in archive.lm_files)

    def _plain(self, name: str) -> bytes:
        return self(plain(name, UINT8))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return Compiled(tmp_path_factory.mktemp("spelling"))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_plain_spelling_is_read_rightly(tmp_path: Path, compiled: Compiled, name: str) -> None:
    for kind in (UINT8, INT8):
        assert_judges_agree(plain(name, kind), tmp_path, batch=2, compress=True, machine="tiny")
    assert compiled(plain(name, INT8)) == compiled.plain(name)


@pytest.mark.parametrize("rewrite", REWRITES)
def test_a_rewrite_gives_the_same_program(compiled: Compiled, rewrite: str) -> None:
    """On every network that it applies to, with uint8 and int8 activations."""
    changed = 0
    for name in NETWORKS:
        for label, kind in KINDS.items():
            source = plain(name, kind)
            sheet = Sheet(source, np.random.default_rng(changed))
            REWRITES[rewrite](sheet)
            if sheet.model.SerializeToString() == source.SerializeToString():
                continue
            changed += 1
            assert compiled(sheet.model) == compiled.plain(name), (rewrite, name, label)
    assert changed, "the rewrite applies to none of the networks"


@pytest.mark.parametrize("seed", range(60))
def test_rewrites_composed_at_random(compiled: Compiled, seed: int) -> None:
    """Three to six of them, one after another, on a network and a type of bytes drawn with them."""
    random = np.random.default_rng(seed)
    name = list(NETWORKS)[seed % len(NETWORKS)]
    label = list(KINDS)[seed // len(NETWORKS) % 2]
    chosen = [
        list(REWRITES)[index] for index in random.choice(len(REWRITES), size=random.integers(3, 7), replace=False)
    ]
    model = plain(name, KINDS[label])
    for rewrite in chosen:
        sheet = Sheet(model, random)
        REWRITES[rewrite](sheet)
        model = sheet.model
    assert compiled(model) == compiled.plain(name), (name, label, chosen)


@pytest.mark.parametrize("name", NETWORKS)
def test_constants_in_files_of_their_own(tmp_path: Path, compiled: Compiled, name: str) -> None:
    path = tmp_path / "model.onnx"
    (tmp_path / "constants").mkdir()
    onnx.save(
        plain(name, INT8), path, save_as_external_data=True, location="constants/weights.bin", size_threshold=0
    )  # fmt: skip
    assert (tmp_path / "constants" / "weights.bin").stat().st_size > 0
    assert compiled(path) == compiled.plain(name)
