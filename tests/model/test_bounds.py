"""Lower bounds lie below what a legal schedule can do: worked by hand for a machine of round numbers."""

from __future__ import annotations

import itertools

import numpy as np

from sima_compiler import Machine
from sima_compiler.bounds.loads import LayerLoad
from sima_compiler.bounds.total import segment_bounds
from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.layers import FeatureMap, Layer, Layout, Lookup, Segment

QUANT = Quantization(1.0, 0)
TINY = Machine.load("tiny")  # one quad: 32 KiB on chip, 8 bytes of DRAM per cycle, 1,024 MACs per cycle


def feature_map(name: str, rows: int) -> FeatureMap:
    return FeatureMap(name, rows, 1, 16, QUANT, Layout.HWC16, (16, rows, 1), (1, 2, 0))


def chain(rows: dict[str, int], outputs: tuple[str, ...]) -> Segment:
    names = list(rows)
    table = Lookup(np.arange(-128, 128).astype(np.int8))
    layers = tuple(
        Layer(name=target, operator="lookup", kernel=table, inputs=(source,), output=target, sources=(target,))
        for source, target in itertools.pairwise(names)
    )
    maps = {name: feature_map(name, count) for name, count in rows.items()}
    return Segment("MLA_0", "MLA", layers, maps, inputs=(names[0],), outputs=outputs)


#: Cycles at both ends of any run: a command of 64 bytes is fetched and a transfer takes 40 cycles until it asks for its
#: first byte; the first vector has arrived; the last one leaves. Behind the last weights, one
#: command fills and computes.
REACHED, ARRIVED, LEFT = 40 + 8 + 40, 40 + 8 + 40 + 8, 40 + 8
USED = TINY.fill_cycles + 1


def load(padded: int = 0, stored: int = 0, macs: int = 0) -> LayerLoad:
    return LayerLoad(macs=macs, padded_cycles=padded, raw_bytes=stored, stored_bytes=stored)


def test_bytes_and_multiplications_bound_alone() -> None:
    segment = chain({"x": 100, "y": 50}, ("y",))
    moved = segment_bounds(segment, [load(stored=800)], TINY, quads=1, batch=2)
    assert moved.bound_cycles == (2 * 100 * 16 + 2 * 50 * 16 + 800) // 8
    counted = segment_bounds(segment, [load(macs=1_024_001)], TINY, quads=1, batch=1)
    assert counted.bound_cycles == 1001


def test_work_in_front_of_weights_that_do_not_fit_adds_to_their_transfer() -> None:
    segment = chain({"x": 1, "a": 1, "y": 1}, ("y",))
    found = segment_bounds(segment, [load(padded=5000), load(padded=100, stored=48 * 1024)], TINY, quads=1, batch=1)
    assert found.padded_bound_cycles == ARRIVED + 5000 + (48 * 1024 - 32 * 1024) // 8 + USED + LEFT


def test_weights_that_have_arrived_lie_raw_on_chip() -> None:
    """Half of 64 KiB fits, which is half of what is stored of it: 20 KiB of 40. Of two layers, the one whose weights
    lose less by being compressed is taken to lie there: the bound holds whatever a program keeps.
    """
    segment = chain({"x": 1, "a": 1, "b": 1, "y": 1}, ("y",))
    large = LayerLoad(macs=0, padded_cycles=7, raw_bytes=64 * 1024, stored_bytes=40 * 1024)
    found = segment_bounds(segment, [load(padded=9000), load(), large], TINY, quads=1, batch=1)
    assert found.padded_bound_cycles == ARRIVED + 9000 + 20 * 1024 // 8 + USED + LEFT
    dense = LayerLoad(macs=0, padded_cycles=7, raw_bytes=16 * 1024, stored_bytes=16 * 1024)
    found = segment_bounds(segment, [load(padded=9000), dense, large], TINY, quads=1, batch=1)
    there = 16 * 1024 + 10 * 1024
    assert found.padded_bound_cycles == ARRIVED + 9000 + (56 * 1024 - there) // 8 + USED + LEFT


def test_an_output_that_was_written_before_the_cut_is_not_charged_behind_it() -> None:
    """Outputs can leave while other layers compute, so they add nothing to the work in front of a cut."""
    segment = chain({"x": 1, "large": 4096, "y": 1}, ("large", "y"))
    found = segment_bounds(segment, [load(padded=10), load(padded=100_000)], TINY, quads=1, batch=1)
    assert found.padded_bound_cycles == ARRIVED + 100_010 + LEFT


def test_the_first_byte_waits_for_a_command_and_the_last_one_for_what_is_computed_of_it() -> None:
    """Outputs are larger than inputs and weights here: they leave behind nothing but the first bytes."""
    segment = chain({"x": 100, "y": 50}, ("y",))
    found = segment_bounds(segment, [load(padded=1, stored=800)], TINY, quads=1, batch=2)
    assert found.padded_bound_cycles == found.bound_cycles + REACHED
    segment = chain({"x": 100, "y": 2}, ("y",))
    found = segment_bounds(segment, [load(padded=1, stored=80_000)], TINY, quads=1, batch=2)
    assert found.padded_bound_cycles == REACHED + (2 * 1600 + 80_000) // 8 + USED + LEFT
