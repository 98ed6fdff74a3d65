"""What a command moves on chip, and how long the ports take for it.

In: bytes of a command's busiest quad, windows and the shapes that they run over, a `Machine`. Out: bytes and whole
cycles. Always holds: a window buffer never makes a command read more than all its window cells.

Ports. A quad has a read port and a write port; loads may use the write ports too, and stores the read ports. A machine
may name one port that all of them share instead, and a limit for each of four channels: inputs, weights, second
operands, results (and transfers in).

Input buffers. Without one, every window cell is read. With one, a pass of the array reads the rows behind its pixels
once, if a vector of channels of them fits; the vector unit reads patches that fit, the borders between them twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

from sima_compiler.ir.layers import Window
from sima_compiler.machine.description import Machine


def ceil_div(numerator: int, denominator: int) -> int:
    """Smallest whole number not below the quotient."""
    return -(-numerator // denominator)


@dataclass(frozen=True, slots=True)
class Traffic:
    """On-chip bytes that one command moves in its busiest quad: three kinds of reads, and its results."""

    inputs: int = 0
    weights: int = 0
    operands: int = 0
    results: int = 0

    @property
    def reads(self) -> int:
        """All that is read."""
        return self.inputs + self.weights + self.operands


def port_cycles(traffic: Traffic, machine: Machine) -> int:
    """Cycles that a quad's ports need for a command's bytes: each port, and each channel where channels are limited."""
    reads = ceil_div(traffic.reads, machine.sram_read_bytes_per_quad)
    cycles = max(reads, ceil_div(traffic.results, machine.sram_write_bytes_per_quad))
    if machine.sram_port_bytes_per_quad:
        cycles = max(cycles, ceil_div(traffic.reads + traffic.results, machine.sram_port_bytes_per_quad))
    if machine.sram_channel_bytes_per_kilocycle:
        widest = max(traffic.inputs, traffic.weights, traffic.operands, traffic.results)
        cycles = max(cycles, ceil_div(widest * 1000, machine.sram_channel_bytes_per_kilocycle))
    return cycles


def transfer_cycles(size: int, machine: Machine, quads: int, *, incoming: bool) -> int:
    """Least cycles that so many bytes of a transfer need on the port that it shares with commands; 0 if with none."""
    port, channel = machine.sram_port_bytes_per_quad, machine.sram_channel_bytes_per_kilocycle
    if not port and machine.transfers_share_ports:
        port = machine.sram_write_bytes_per_quad if incoming else machine.sram_read_bytes_per_quad
    if not port:
        return 0
    narrow = ceil_div(1000 * size, quads * channel) if incoming and channel else 0
    return max(ceil_div(size, quads * port), narrow)


#: (limit, use) in bytes per 1,000 cycles of ports.
Ports = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class SharedPorts:
    """The ports that a command shares with loads and with stores; empty where transfers have ports of their own."""

    loads: Ports = ()
    stores: Ports = ()


def shares_ports(machine: Machine) -> bool:
    """Whether commands and transfers share any port."""
    return bool(machine.sram_port_bytes_per_quad or machine.transfers_share_ports)


def shared_ports(traffic: Traffic, cycles: int, machine: Machine, quads: int) -> SharedPorts:
    """What a command of ``cycles`` uses of the ports that it shares with transfers.

    One port for all is shared with both, and the channel of the results with loads. Else loads share the write ports
    and stores the read ports, where the machine says so.
    """
    if not shares_ports(machine) or not cycles:
        return SharedPorts()
    channel = machine.sram_channel_bytes_per_kilocycle

    def port(limit: int, size: int) -> tuple[int, int]:
        return quads * limit, quads * ceil_div(1000 * size, cycles)

    if machine.sram_port_bytes_per_quad:
        whole = port(1000 * machine.sram_port_bytes_per_quad, traffic.reads + traffic.results)
        return SharedPorts((whole, *((port(channel, traffic.results),) if channel else ())), (whole,))
    return SharedPorts(
        (port(1000 * machine.sram_write_bytes_per_quad, traffic.results),),
        (port(1000 * machine.sram_read_bytes_per_quad, traffic.reads),),
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """What lies behind the results of a block with windows: how much an input buffer has to hold, and saves.

    Rows and columns are those of one sample; ``span`` is the height of a window, ``pixel_bytes`` all its channels.
    """

    samples: int
    in_rows: int
    in_columns: int
    out_rows: int
    out_columns: int
    stride: int
    span: int
    pixel_bytes: int


def keeps_windows(window: Window, machine: Machine) -> bool:
    """Whether an input buffer could spare the array reads of that window's cells."""
    return machine.input_buffer_pixels_per_quad > 0 and prod(window.kernel) > 1


def cells_on_map(window: Window, axis: int, outputs: int, size: int) -> int:
    """Window rows (axis 0) or columns (axis 1) that at least one of ``outputs`` results sees on a map of ``size``."""
    stride, dilation, pad = window.strides[axis], window.dilations[axis], window.pads[axis]
    found = 0
    for cell in range(window.kernel[axis]):
        start = cell * dilation - pad
        first = max(0, ceil_div(-start, stride))  # the first result that sees this cell at or behind the map's edge
        found += first < outputs and start + first * stride < size
    return found


def window_span(window: Window) -> int:
    """Rows from a window's first to its last."""
    return (window.kernel[0] - 1) * window.dilations[0] + 1


def run_pixels(reach: Reach, run: int) -> int:
    """Input pixels in the rows behind ``run`` neighbouring results, wherever they start."""
    rows = min(ceil_div(run - 1, reach.out_columns) + 1, reach.samples * reach.out_rows)
    pieces = 1 if reach.samples == 1 else min(reach.samples, ceil_div(rows - 1, reach.out_rows) + 1)
    behind = min((rows - pieces) * reach.stride + pieces * reach.span, pieces * reach.in_rows)
    return behind * reach.in_columns


def buffered_bytes(reach: Reach, along: int, contraction: int, per_tile: int, machine: Machine) -> int:
    """Bytes of one round of output blocks when every pass reads the rows behind its pixels once; 0 if they do not fit.

    ``along`` tiles of a quad have pixels of their own, ``per_tile`` each; a part of the contraction has its part of the
    buffer.
    """
    half = machine.accumulator_pixels // 2
    passes, rest = divmod(per_tile, half)
    largest = run_pixels(reach, along * min(per_tile, half))
    room = machine.input_buffer_pixels_per_quad // contraction * machine.lanes
    if largest * min(reach.pixel_bytes, machine.lanes) > room:
        return 0
    return (passes * largest + (run_pixels(reach, along * rest) if rest else 0)) * reach.pixel_bytes


def window_reads(sizes: tuple[int, int, int, int], window: Window, machine: Machine) -> int:
    """Vectors that windows over one sample and one vector of channels read; ``sizes``: input rows and columns, output
    rows and columns. In patches that fit the input buffer, the cells that neighbouring windows share are read once;
    else, and if that is less, every cell of every window.
    """
    cells = prod(window.kernel) * sizes[2] * sizes[3]
    return min(cells, _patched(sizes, window, machine.input_buffer_pixels_per_quad) or cells)


@lru_cache(maxsize=4096)
def _patched(sizes: tuple[int, int, int, int], window: Window, room: int) -> int:
    """Fewest input pixels over all patches of at most ``room``, borders between patches read twice; 0: none fits."""
    in_rows, in_columns, out_rows, out_columns = sizes
    (down, across) = window.strides
    high, wide = ((size - 1) * step + 1 for size, step in zip(window.kernel, window.dilations, strict=True))
    best = 0
    for rows in range(1, out_rows + 1):
        reach = min(in_rows, (rows - 1) * down + high)
        most = out_columns if reach * in_columns <= room else (room // reach - wide) // across + 1
        if most < 1:
            break
        columns = most if wide > across else 1
        read = _overlapped(in_rows, out_rows, rows, (high, down)) * _overlapped(
            in_columns, out_columns, columns, (wide, across)
        )
        best = min(best or read, read)
    return best


def _overlapped(size: int, outputs: int, block: int, window: tuple[int, int]) -> int:
    """Input rows (or columns) of ``outputs`` results in blocks of ``block``, the overlap of blocks counted again."""
    kernel, stride = window
    return min(size, (outputs - 1) * stride + kernel) + (ceil_div(outputs, block) - 1) * (kernel - stride)
