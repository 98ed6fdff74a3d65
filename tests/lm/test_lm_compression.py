"""Compression: lossless, bounded, deterministic, worth it on weights, and strict about what it reads."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sima_compiler.errors import LmError
from sima_compiler.ir.program import Constants
from sima_compiler.lm.compression import BLOCK_BYTES, compress, decompress, index_bytes, restore, store, stored_bytes


def gaussian(size: int) -> bytes:
    values = np.rint(np.random.default_rng(7).normal(0, 1, size) * 127 / 3.5)
    return np.clip(values, -127, 127).astype(np.int8).tobytes()


def sparse(size: int) -> bytes:
    rng = np.random.default_rng(8)
    values = rng.laplace(0, 12, size) * (rng.random(size) < 0.5)
    return np.clip(np.rint(values), -127, 127).astype(np.int8).tobytes()


@pytest.mark.parametrize(("data", "least"), [(gaussian(400_000), 1.08), (sparse(400_000), 1.5), (bytes(400_000), 7)])
def test_weights_shrink(data: bytes, least: float) -> None:
    stored = compress(data)
    assert decompress(stored) == data
    assert len(data) / stored_bytes(stored) >= least


@pytest.mark.parametrize("size", [0, 1, 255, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 17])
def test_noise_never_grows_beyond_the_index(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    stored = compress(data)
    assert len(stored) <= len(data) + index_bytes(len(data))
    assert decompress(stored) == data
    assert compress(data) == stored


@given(st.binary(max_size=2000), st.booleans())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_restore_inverts_store(data: bytes, compressed: bool) -> None:
    stored = store(Constants("c", 0, data), compressed)
    assert restore(stored, compressed) == data
    assert compressed or stored == data


def test_one_block_needs_no_other() -> None:
    first, second = gaussian(BLOCK_BYTES), sparse(BLOCK_BYTES)
    both, alone = compress(first + second), compress(second)
    assert both.endswith(alone[index_bytes(len(second)) :])


@given(st.binary(max_size=200), st.integers(0, 60_000))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_bytes_give_data_or_an_lm_error(junk: bytes, size: int) -> None:
    for stored in (junk, struct.pack("<I", size) + junk):
        with suppress(LmError):
            assert isinstance(decompress(stored), bytes)


def test_a_block_that_claims_gigabytes_costs_no_memory() -> None:
    hostile = struct.pack("<I", 2**32 - 1) + bytes(1000)
    tracemalloc.start()
    with pytest.raises(LmError, match="cannot hold"):
        decompress(hostile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_block_that_decodes_to_too_much_is_refused() -> None:
    stored = bytearray(compress(bytes(BLOCK_BYTES)))
    struct.pack_into("<I", stored, 0, BLOCK_BYTES - 1)
    with pytest.raises(LmError, match="block 0 decodes"):
        decompress(bytes(stored))
