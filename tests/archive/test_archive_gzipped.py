"""The gzip writer against Python's and the system's gzip: the bytes come back, and only what shrinks is compressed."""

from __future__ import annotations

import gzip
import io
import subprocess

import numpy as np
import pytest

from sima_compiler.archive.gzipped import CHUNK_BYTES, SAMPLE_BYTES, GzipWriter


def noise(size: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def written(data: bytes, piece: int) -> bytes:
    file = io.BytesIO()
    writer = GzipWriter(file)
    for start in range(0, len(data), piece):
        assert writer.write(data[start : start + piece]) == len(data[start : start + piece])
    assert writer.tell() == len(data)
    writer.close()
    return file.getvalue()


@pytest.mark.parametrize("piece", [1000, CHUNK_BYTES - 1, 1 << 22])
@pytest.mark.parametrize("size", [0, 1, SAMPLE_BYTES, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES - 7])
def test_any_gzip_reads_it_back(size: int, piece: int) -> None:
    for data in (bytes(size), noise(size), (noise(100) * (size // 100 + 1))[:size]):
        packed = written(data, piece)
        assert gzip.decompress(packed) == data
        assert subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True).stdout == data


def test_what_shrinks_is_deflated_and_what_does_not_is_stored() -> None:
    text, random = b"start_cycle: 17\n" * 40_000, noise(5 * CHUNK_BYTES)
    assert len(written(text, 10_000)) < len(text) // 20
    stored = written(random, 10_000)
    assert random[:60_000] in stored
    assert len(random) < len(stored) < 1.001 * len(random)
    both = written(random + text, 10_000)
    assert len(both) < len(random) * 1.001 + len(text) // 20 + CHUNK_BYTES


def test_pieces_do_not_change_the_bytes() -> None:
    data = noise(CHUNK_BYTES) + bytes(CHUNK_BYTES)
    assert len({written(data, piece) for piece in (999, 65_536, len(data))}) == 1
