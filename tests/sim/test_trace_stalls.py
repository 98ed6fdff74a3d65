"""Whose cycles are whose: stalls named by what was waited for, layers by the command that waited, and what bounds them.

The machine: `tiny` with latency 10, a DRAM of 64 bytes per cycle and commands without instruction bytes, so that every
time can be added up: a load of 6,400 bytes takes 10 + 100 cycles; a fill of one pixel takes fill_cycles 8 + 1, and the
first command of a layer 16 for synchronization.
"""

from __future__ import annotations

from dataclasses import replace

from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.layers import Layout
from sima_compiler.ir.program import (
    Box,
    Constants,
    DmaInCommand,
    DramTensor,
    Fill,
    LoadConstants,
    LoadTensor,
    Operand,
    Program,
    ProgramLayer,
    Role,
    StoreTensor,
    Wait,
)
from sima_compiler.ir.schedule import STALLS
from sima_compiler.machine.description import Machine
from sima_compiler.machine.trace import Trace, trace

MACHINE = replace(
    Machine.load("tiny"), dma_latency_cycles=10, dram_bytes_per_cycle=64, dram_burst_bytes=64, fill_cycles=8
)
FIRST, LATER = 16 + 8 + 1, 8 + 1
#: Two fills of one layer, one behind the other, are a run: the second begins so long before the first ends.
FILL = 8
PIXEL = Operand(0, 0, 1, 1, 1, 16, 16, 16, 16)
BOX = Box((1, 1, 1, 6400), (6400, 6400, 6400), (6400, 6400, 6400))


def tensor(role: Role) -> DramTensor:
    shape = (1, 1, 6400)
    return DramTensor(role, role, 0, 1, *shape, Layout.HWC16, 6400, 6400, 6400, Quantization(1.0, 0), shape, (0, 1, 2))


def fill(layer: int, **wait: int) -> Fill:
    """Every layer fills a buffer of its own: that is what tells them apart."""
    return Fill(layer, Wait(**wait), replace(PIXEL, buffer=layer), 0)


def run(*computes: Fill, loads: tuple[DmaInCommand, ...] = (), stores: tuple[StoreTensor, ...] = ()) -> Trace:
    program = Program(
        "MLA_0", "", 2, 1, False,
        layers=tuple(ProgramLayer(name, "fill") for name in "abc"),
        tensors=(tensor(Role.INPUT), tensor(Role.SPILL)),
        buffers=(),
        constants=(Constants("w", 0, bytes(6400)),),
        dma_in=loads, dma_out=stores, compute=computes,
    )  # fmt: skip
    found = trace(program, [6400], [[0] * len(loads), [0] * len(stores), [0] * len(computes)], MACHINE)
    assert sum(layer.runtime for layer in found.layers) == found.runtime
    assert all(layer.runtime == layer.compute + sum(layer.stalls.values()) for layer in found.layers)
    return found


def stalls(found: Trace, layer: int) -> dict[str, int]:
    return {name: cycles for name, cycles in found.layers[layer].stalls.items() if cycles}


def load(tensor: int = 0, **wait: int) -> LoadTensor:
    return LoadTensor(0, Wait(**wait), tensor, 0, 0, 0, BOX)


def weights(**wait: int) -> LoadConstants:
    return LoadConstants(0, Wait(**wait), 0, 0)


def store(**wait: int) -> StoreTensor:
    return StoreTensor(0, Wait(**wait), 1, 0, 0, 0, BOX)


def test_layers_without_transfers_have_no_stalls() -> None:
    found = run(fill(0), fill(0), fill(1))
    assert [layer.compute for layer in found.layers] == [FIRST + LATER - FILL, FIRST, 0]
    assert [layer.intervals for layer in found.layers] == [((0, 26),), ((26, 51),), ()]
    assert all(not any(layer.stalls[name] for name in STALLS) for layer in found.layers)
    assert {layer.bound_by for layer in found.layers} == {"compute"}


def test_what_a_load_holds_decides_the_stalls_name() -> None:
    """The load ends at 110. Weights decompress at 16 bytes per cycle: 10 + 400."""
    assert stalls(run(fill(0, dma_in=1), loads=(load(),)), 0) == {"input": 110}
    assert run(fill(0, dma_in=1), loads=(load(),)).layers[0].bound_by == "activation_dma"
    assert stalls(run(fill(0, dma_in=1), loads=(weights(),)), 0) == {"weights": 410}
    assert run(fill(0, dma_in=1), loads=(weights(),)).layers[0].bound_by == "weights_dma"


def test_a_stall_belongs_to_the_layer_that_waits() -> None:
    """The first layer computes from 0 to 25 meanwhile; the second waits from 25 to 110."""
    found = run(fill(0), fill(1, dma_in=1), loads=(load(),))
    assert stalls(found, 0) == {}
    assert stalls(found, 1) == {"input": 110 - FIRST}


def test_a_spilled_map_that_comes_back_late_is_a_dependency() -> None:
    """Computed to 25, out from 35 to 135, back from 145 to 245."""
    found = run(fill(0), fill(1, dma_in=1), loads=(load(1, dma_out=1),), stores=(store(compute=1),))
    assert stalls(found, 1) == {"dependency": 245 - FIRST}


def test_room_that_a_store_holds_and_the_last_results_are_output() -> None:
    """Computed to 25, out to 135, computed again to 160 while the second store has asked at 170: out to 270."""
    found = run(fill(0), fill(1, dma_out=1), stores=(store(compute=1), store(compute=2)))
    assert stalls(found, 1) == {"output": (135 - FIRST) + (270 - 160)}
    assert found.runtime == 270


def test_waiting_while_nothing_moves_is_latency() -> None:
    """A load of one burst after each computation: one cycle of transfer in eleven, ten of latency. The second fill
    would have begun before the first was done.
    """
    small = replace(load(compute=1), box=Box((1, 1, 1, 64), (64, 64, 64), (64, 64, 64)))
    found = run(fill(0), fill(0, dma_in=1), loads=(small,))
    assert stalls(found, 0) == {"input": 11 + FILL}
    assert found.layers[0].bound_by == "compute"
    slow = replace(MACHINE, dma_latency_cycles=300)
    late = trace(two_fills(small), [6400], [[0], [], [0, 0]], slow)
    assert late.layers[0].stalls["input"] == 301 + FILL
    assert late.layers[0].bound_by == "latency"


def two_fills(small: LoadTensor) -> Program:
    layers = (ProgramLayer("a", "fill"),)
    computes = (fill(0), fill(0, dma_in=1))
    return Program("MLA_0", "", 2, 1, False, layers, (tensor(Role.INPUT),), (), (), (small,), (), computes)


def test_instructions_that_come_late_are_named() -> None:
    """One burst of 64 bytes: asks at 10, there at 11."""
    program = two_fills(load())
    alone = replace(program, dma_in=(), compute=(fill(0),))
    found = trace(alone, [], [[], [], [40]], MACHINE)
    assert stalls(found, 0) == {"instruction": 11}
    assert found.runtime == 11 + FIRST
