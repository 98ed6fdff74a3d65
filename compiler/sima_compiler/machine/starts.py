"""Which commands begin a layer and which come back to one, told by what they read and write.

In: compute commands in the order of their queue, all transfers, the tensors and constants in DRAM. Out: an `Entry` per
command. Always holds: no name and no label of a layer is looked at, so that relabelling a program changes nothing.

A *map* is what one layer computes, or a tensor in DRAM. A *layer* is one operation on one map: two commands belong to
one layer if they do the same and read the same map, at whatever place. Which map lies in a range of a buffer follows
from who wrote its last byte, and which samples from the tensors on: no operation mixes samples, so a result has the
sample of what was read for it.

Copies have no operation of their own. One that carries rows of a map on into a buffer where its layer goes on writing
them, for the same reader, belongs to that layer; all others into one buffer are one layer, told by the map that is
moved there first and by what becomes of the buffer: the tensor that it is stored to, or the operation that reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from sima_compiler.ir.commands import facts
from sima_compiler.ir.layers import Broadcast
from sima_compiler.ir.program import (
    BinaryStep,
    Combine,
    ComputeCommand,
    Constants,
    Convolve,
    DmaInCommand,
    DmaOutCommand,
    DramTensor,
    Fill,
    Gather,
    Interpolate,
    LoadConstants,
    LoadTensor,
    Multiply,
    Normalize,
    Operand,
    Part,
    Pool,
    Resample,
    StoreTensor,
    Translate,
)
from sima_compiler.machine.description import Machine

#: A range of bytes of a buffer: the buffer, the first byte and the end.
Range = tuple[int, int, int]
#: Commands that compute a region of a map from one of another.
Reading = Convolve | Pool | Combine | Translate | Resample | Interpolate | Normalize | Multiply


@dataclass(frozen=True, slots=True)
class Entry:
    """How a command stands to the layers: the samples that it is the first of its layer to compute, and whether
    another layer had the queue before it.
    """

    begun: int
    switches: bool

    def cycles(self, machine: Machine) -> int:
        """What the command pays beside its work: a start per sample begun, or else synchronization if it switches."""
        if self.begun and machine.start_cycles:
            return self.begun * machine.start_cycles
        return machine.layer_sync_cycles if self.switches else 0


def entries(
    commands: Sequence[ComputeCommand],
    transfers: Iterable[DmaInCommand | DmaOutCommand],
    tensors: Sequence[DramTensor],
    constants: Sequence[Constants],
) -> list[Entry]:
    """How every command stands to the layers in front of it."""
    walk = _Walk(commands)
    for transfer in transfers:
        match transfer:
            case LoadTensor():
                walk.load(transfer, tensors[transfer.tensor])
            case LoadConstants():
                walk.tables[transfer.buffer] = constants[transfer.constants].data
            case StoreTensor():
                walk.uses[transfer.buffer] = ("tensor", transfer.tensor)
            case _:
                assert_never(transfer)
    found: list[Entry] = []
    running: int | None = None
    for command in commands:
        layer, samples = walk.layer(command)
        begun = walk.begun.setdefault(layer, set())
        found.append(Entry(sum(sample not in begun for sample in samples), layer != running))
        begun.update(samples)
        running = layer
    return found


@dataclass(frozen=True, slots=True)
class _Content:
    """What lies in a range of a buffer: a map, and ``count`` of its samples from ``first`` on, ``stride`` bytes apart;
    the first of them begins at ``origin``. ``told``: what tells the map to those who read it, which for a copy is the
    map that was moved there last.
    """

    low: int
    high: int
    map: int
    told: int
    first: int
    count: int
    stride: int
    origin: int

    def sample(self, byte: int) -> int:
        """The sample that a byte belongs to."""
        return self.first + min(max(0, (byte - self.origin) // self.stride), self.count - 1)

    def joins(self, other: _Content) -> bool:
        """Whether both are one range of the same samples of one map."""
        alike = (self.map, self.first, self.count) == (other.map, other.first, other.count)
        return alike and self.low <= other.high and other.low <= self.high


@dataclass(slots=True)
class _Walk:
    """The contents of all buffers while commands are walked."""

    commands: Sequence[ComputeCommand]
    begun: dict[int, set[int]] = field(default_factory=dict[int, set[int]])
    tables: dict[int, bytes] = field(default_factory=dict[int, bytes])
    uses: dict[int, object] = field(default_factory=dict[int, object])
    _contents: dict[int, list[_Content]] = field(default_factory=dict[int, list[_Content]])
    _numbers: dict[object, int] = field(default_factory=dict[object, int])
    _operations: dict[int, object] = field(default_factory=dict[int, object])
    _copied: dict[int, int] = field(default_factory=dict[int, int])
    _first_moves: dict[int, Gather] = field(default_factory=dict[int, Gather])
    _first_results: dict[int, object] = field(default_factory=dict[int, object])

    def __post_init__(self) -> None:
        for command in self.commands:
            if isinstance(command, Gather):
                self._first_moves.setdefault(command.target_buffer, command)
                self.uses.setdefault(command.source_buffer, Gather)
            elif not isinstance(command, Fill):
                done, second = operation(command), facts(command).second
                self._first_results.setdefault(command.target.buffer, done)
                for operand in (command.source, *(() if second is None else (second,))):
                    self.uses.setdefault(operand.buffer, done)

    def load(self, command: LoadTensor, tensor: DramTensor) -> None:
        """A load brings samples of a tensor."""
        box = command.box
        length = box.sizes[3] + sum(
            (size - 1) * stride for size, stride in zip(box.sizes[:3], box.dram_strides, strict=True)
        )
        span = box.sizes[3] + sum(
            (size - 1) * stride for size, stride in zip(box.sizes[:3], box.chip_strides, strict=True)
        )
        sample = max(1, tensor.sample_stride)
        first, last = command.dram_offset // sample, (command.dram_offset + length - 1) // sample
        where = (command.buffer, command.chip_offset, command.chip_offset + span)
        stride = box.chip_strides[0] if box.sizes[0] == last + 1 - first else None
        number = self._number(("tensor", command.tensor))
        self._write(where, (number, number), range(first, last + 1), stride)

    def layer(self, command: ComputeCommand) -> tuple[int, range]:
        """The layer that a command belongs to and the samples that it computes; its results are put down."""
        told: int | None = None
        match command:
            case Gather():
                source, target = _moved(command, target=False), _moved(command, target=True)
                samples, told = self._samples(source), self._told(source)
                layer = self._carried(command, source)
                if layer is None:
                    layer, told = self._copy(command.target_buffer), self._number(("of", told, _channel(command)))
            case Fill():
                target = _bytes(command.target)
                layer, samples = self._copy(command.target.buffer), self._filled(command)
            case Convolve() | Pool() | Combine() | Translate() | Resample() | Interpolate() | Normalize() | Multiply():
                source, target = _bytes(command.source), _bytes(command.target)
                samples, done = self._samples(source), operation(command)
                layer = self._number((done, self._told(source), self._table(command)))
                self._operations[layer] = done
            case _:
                assert_never(command)
        if facts(command).part.finishes:
            told = layer if told is None else told
            self._write(target, (layer, told), samples, _stride(command, len(samples)))
        return layer, samples

    def _carried(self, command: Gather, source: Range) -> int | None:
        """The layer whose own results a copy takes along, as they are, to where that layer goes on."""
        found = self._map(source)
        done, use = self._operations.get(found), self.uses.get(command.target_buffer)
        if command.parameters is not None:
            return None
        if done is not None and self._first_results.get(command.target_buffer) == done:
            return found
        if found in self._copied.values() and use is not None and self.uses.get(command.source_buffer) == use:
            return self._copied.setdefault(command.target_buffer, found)
        return None

    def _copy(self, buffer: int) -> int:
        """The layer that copies into a buffer: told by the map that is moved there first."""
        if buffer not in self._copied:
            move = self._first_moves.get(buffer)
            key = ("fill", buffer) if move is None else ("copy", self._map(_moved(move, target=False)), _channel(move))
            self._copied[buffer] = self._number((*key, self.uses.get(buffer)))
        return self._copied[buffer]

    def _table(self, command: Reading) -> bytes | None:
        """The constants of a command whose layer has the same for all of its blocks."""
        match command:
            case Translate() | Pool():
                shared = True
            case Combine():
                shared = command.binary.operand is not None or command.binary.broadcast is Broadcast.SCALAR
            case Convolve() | Resample() | Interpolate() | Normalize() | Multiply():
                shared = False
            case _:
                assert_never(command)
        return self.tables.get(command.parameters) if shared and command.parameters is not None else None

    def _filled(self, command: Fill) -> range:
        """The samples that will be moved to where a fill goes first; those of the region where none are."""
        move = self._first_moves.get(command.target.buffer)
        first = 0 if move is None else self._samples(_moved(move, target=False)).start
        return range(first, first + command.target.samples)

    def _number(self, key: object) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _at(self, buffer: int, byte: int) -> _Content | None:
        return next((held for held in self._contents.get(buffer, ()) if held.low <= byte < held.high), None)

    def _map(self, where: Range) -> int:
        """The map that the last byte of a range belongs to: of a concatenation, what was put there last."""
        buffer, _, high = where
        found = self._at(buffer, high - 1)
        return self._number(("buffer", buffer)) if found is None else found.map

    def _told(self, where: Range) -> int:
        """What tells that map to a reader. A copy is told by what it holds, else moving another map's byte in front of
        it would make two layers on two maps one.
        """
        buffer, _, high = where
        found = self._at(buffer, high - 1)
        return self._number(("buffer", buffer)) if found is None else found.told

    def _samples(self, where: Range) -> range:
        buffer, low, high = where
        first, last = (self._at(buffer, byte) for byte in (low, high - 1))
        start = 0 if first is None else first.sample(low)
        end = start if last is None else last.sample(high - 1)
        return range(min(start, end), max(start, end) + 1)

    def _write(self, where: Range, numbers: tuple[int, int], samples: range, stride: int | None) -> None:
        """Puts samples of a map, and what tells it, into a range; without a known distance between them, evenly."""
        buffer, low, high = where
        count = len(samples)
        stride = stride or -(-(high - low) // count)
        new = _Content(
            low=low,
            high=high,
            map=numbers[0],
            told=numbers[1],
            first=samples.start,
            count=count,
            stride=max(1, stride),
            origin=low,
        )
        kept: list[_Content] = []
        for held in self._contents.get(buffer, ()):
            if held.joins(new):
                new = replace(
                    new,
                    low=min(held.low, new.low),
                    high=max(held.high, new.high),
                    origin=min(held.origin, new.origin),
                    stride=max(held.stride, new.stride),
                )
            elif held.high <= new.low or held.low >= new.high:
                kept.append(held)
            else:
                kept += [replace(held, high=new.low)] if held.low < new.low else []
                kept += [replace(held, low=new.high)] if held.high > new.high else []
        self._contents[buffer] = [*kept, new]


def operation(command: Reading) -> object:
    """What all commands of one layer do alike, and every other layer on the same map, in some respect, does not.

    The parts of a block differ in their windows, and only the last one has a way out.
    """
    match command:
        case Convolve():
            window, inputs = command.window, command.source.channels // max(1, command.groups)
            alike = (window.strides, window.dilations, command.input_zero_point, command.intermediate, command.clamp)
            if command.part is not Part.WHOLE:
                return (Convolve, Part, *alike)
            return (Convolve, *alike, window.kernel, inputs, command.way_out, _step(command.binary))
        case Pool():
            window = command.window
            alike = (window.strides, window.dilations, command.kind, command.input, command.output, command.clamp)
            if command.part is not Part.WHOLE:
                return (Pool, Part, *alike)
            return (Pool, *alike, window.kernel, command.is_global, command.has_lookup)
        case Combine():
            return (Combine, _step(command.binary))
        case Translate():
            return (Translate,)
        case Resample():
            return (Resample, command.has_lookup)
        case Multiply():
            zeros = (command.left_zero_point, command.right_zero_point)
            scales = (command.multiplier, command.real, command.intermediate, command.clamp, command.has_lookup)
            return (Multiply, zeros, scales)
        case Interpolate():
            return (Interpolate, command.input, command.output, command.clamp, command.has_lookup)
        case Normalize():
            flags = (command.gains, command.offsets, command.per_pixel, command.response)
            return (Normalize, command.kind, command.input, command.output, command.epsilon, command.clamp, flags)
        case _:
            assert_never(command)


def written_range(command: ComputeCommand) -> Range:
    """The bytes from the first to the last one that a command writes."""
    return _moved(command, target=True) if isinstance(command, Gather) else _bytes(command.target)


def read_ranges(command: ComputeCommand) -> list[Range]:
    """Likewise those of the maps that it reads."""
    if isinstance(command, Gather):
        return [_moved(command, target=False)]
    second = facts(command).second
    first = [] if isinstance(command, Fill) else [_bytes(command.source)]
    return first if second is None else [*first, _bytes(second)]


def _stride(command: ComputeCommand, count: int) -> int | None:
    """Bytes between the samples of a command's results, where it knows of as many."""
    results = facts(command).results
    return results.sample_stride if results is not None and results.samples == count else None


def _step(step: BinaryStep | None) -> object:
    if step is None:
        return None
    sides = (step.left, step.right, step.output)
    return (step.op, step.operand is None, step.broadcast, sides, step.swapped, step.clamp, step.has_lookup)


def _bytes(operand: Operand) -> Range:
    steps = (operand.samples - 1, operand.sample_stride), (operand.rows - 1, operand.row_stride)
    span = sum(count * stride for count, stride in (*steps, (operand.columns - 1, operand.pixel_stride)))
    return operand.buffer, operand.offset, operand.offset + span + operand.channels


def _moved(command: Gather, *, target: bool) -> Range:
    buffer, offset, strides = (
        (command.target_buffer, command.target_offset, command.target_strides)
        if target
        else (command.source_buffer, command.source_offset, command.source_strides)
    )
    reach = [(size - 1) * stride for size, stride in zip(command.sizes, strides, strict=True)]
    low = offset + sum(step for step in reach if step < 0)
    return buffer, low, offset + sum(step for step in reach if step > 0) + 1


def _channel(command: Gather) -> int:
    """Where in its pixels a copy begins to read: tells slices of one map apart."""
    pixel = min((stride for stride in command.source_strides if stride > 1), default=0)
    return command.source_offset % pixel if pixel else 0
