"""Writes a tiling step by step.

In: layers with their block plans, in execution order. Out: one `Tiling`. The emitter is the only object of the tile
stage that changes while it works; it lives for one call and hands out a frozen record.
"""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.ir.commands import facts
from sima_compiler.ir.graph import Int8Array
from sima_compiler.ir.kernels import Reduction
from sima_compiler.ir.kernels import facts as kernel_facts
from sima_compiler.ir.layers import Copy, FeatureMap, Layer, Segment
from sima_compiler.ir.program import (
    Box,
    BufferKind,
    ComputeCommand,
    Constants,
    LoadConstants,
    LoadTensor,
    ProgramLayer,
    StoreTensor,
)
from sima_compiler.ir.tiles import Load, Store, Tiling
from sima_compiler.lm.constants import ConstantSections, pack_constants
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.constants import constants_of
from sima_compiler.stages.tiling.block.contraction import Extent, part_region, parts_of
from sima_compiler.stages.tiling.block.copies import coordinate_moves
from sima_compiler.stages.tiling.block.copy_loads import CopySources, copy_loads
from sima_compiler.stages.tiling.block.geometry import (
    Held,
    Range,
    Region,
    Strides,
    offset_from,
    offset_in,
    transfer_box,
    whole,
)
from sima_compiler.stages.tiling.block.kernels import (
    NO_WAIT,
    Block,
    block_commands,
    copy_fill,
    gathers,
)
from sima_compiler.stages.tiling.block.reach import input_region
from sima_compiler.stages.tiling.cuts.fusion import Group
from sima_compiler.stages.tiling.cuts.plans import UNLIMITED, BlockPlan, LoopOrder
from sima_compiler.stages.tiling.cuts.rolling import Frame
from sima_compiler.stages.tiling.maps.dram import dram_tensors
from sima_compiler.stages.tiling.maps.residency import Residency
from sima_compiler.stages.tiling.writing.drafts import Drafts
from sima_compiler.stages.tiling.writing.frames import FrameBuffers

#: Parameter buffers by layer, channels, and by content where rows and columns decide about it, as for tables of a copy.
Parameters = dict[tuple[int, Range, bytes], int | None]


class Emitter:
    """Builds a tiling layer by layer; see the module's text."""

    def __init__(
        self,
        segment: Segment,
        machine: Machine,
        *,
        quads: int,
        batch: int,
        residency: Residency,
        groups: Sequence[Group] = (),
    ) -> None:
        self._segment, self._machine, self._quads, self._batch = segment, machine, quads, batch
        self._spilled, self._storage = residency.spilled, residency.storage
        self._tensors = dram_tensors(segment, batch, self._spilled, machine)
        self._tensor_index = {tensor.name: index for index, tensor in enumerate(self._tensors)}
        self._steps: list[ComputeCommand] = []
        self._loads: list[Load] = []
        self._stores: list[Store] = []
        self._drafts = Drafts(machine, self._steps)
        self._constants: list[Constants] = []
        self._roots: dict[str, Held] = {}
        self._loaded_rows: dict[tuple[str, int], int] = {}
        self._inside = frozenset[str]().union(*(group.inside for group in groups))
        self._frames = FrameBuffers(segment, residency, self._drafts, self._steps)

    # -- one layer -------------------------------------------------------------------------------

    def layer(self, index: int, plan: BlockPlan) -> None:
        """Appends the blocks of one layer."""
        layer = self._segment.layers[index]
        target = self._segment.maps[layer.output]
        if plan.extent is not None and isinstance(layer.kernel, Reduction):
            self._in_parts(index, layer.kernel, plan, plan.extent)
            return
        current: int | None = None
        regions: list[Region] = []
        inputs: tuple[Held, ...] = ()
        parameters: Parameters = {}
        for stripe, region in plan.blocks(self._batch, target):
            if stripe != current and plan.order is LoopOrder.RELOADED:
                parameters = {}
            wanted = self._input_regions(layer, target, region)
            if stripe != current or wanted != regions:
                inputs = self._inputs(index, layer, wanted)
            current, regions = stripe, wanted
            for held in inputs:
                self._drafts.use(held.buffer)
            holder = self._target(index, layer.output, target, region)
            if not plan.keeps_tables:
                parameters = {}
            self._block(index, region, holder, inputs, parameters, plan.load_limit)
            finished = self._finished(layer.output, plan, region, target)
            if finished is not None:
                self._store(index, holder, finished)

    def _in_parts(self, index: int, kernel: Reduction, plan: BlockPlan, extent: Extent) -> None:
        """Blocks that sum their windows part by part; second operands arrive for the last one."""
        layer = self._segment.layers[index]
        source, target = self._segment.maps[layer.inputs[0]], self._segment.maps[layer.output]
        for _, region in plan.blocks(self._batch, target):
            holder = self._target(index, layer.output, target, region)
            for cells in parts_of(kernel, extent, source, region):
                wanted = [part_region(kernel, cells, source, target, region)]
                later = self._input_regions(layer, target, region)[1:]
                wanted += later if cells.part.finishes else []
                inputs = self._inputs(index, layer, wanted)
                sections = constants_of(layer, region, cells)
                parameters = None if sections is None else self._load_constants(index, layer, sections)
                self._compute(
                    Block(
                        index=index,
                        layer=layer,
                        region=region,
                        target=holder,
                        inputs=inputs,
                        parameters=parameters,
                        machine=self._machine,
                        quads=self._quads,
                        cells=cells,
                        extent=extent,
                    )
                )
            finished = self._finished(layer.output, plan, region, target)
            if finished is not None:
                self._store(index, holder, finished)

    def group(self, group: Group) -> None:
        """Appends fused layers, stripe by stripe; parameters stay until their layer and all in front of it are done."""
        parameters: Parameters = {}
        ends: dict[int, int] = {}
        for sample in range(self._batch):
            self._frames.sample(group)
            for frames in group.frames:
                self._frames.begin(frames)
                for index in range(group.first, group.last + 1):
                    frame = frames[self._segment.layers[index].output]
                    self._rows(index, sample, frame, parameters)
                    ends[index] = len(self._steps) - 1 if frame.computed else ends[index]
        for (index, _, _), buffer in parameters.items():
            if buffer is not None:
                self._drafts.use(buffer, max(end for other, end in ends.items() if other <= index))
        self._frames.end()

    def _rows(self, index: int, sample: int, frame: Frame, parameters: Parameters) -> None:
        """The new rows of one layer of a group."""
        if not frame.computed:
            return
        layer = self._segment.layers[index]
        target = self._segment.maps[layer.output]
        region = Region((sample, sample + 1), (frame.fresh, frame.rows[1]), (0, target.columns), (0, target.channels))
        inputs = self._inputs(index, layer, self._input_regions(layer, target, region))
        holder = self._target(index, layer.output, target, region)
        self._block(index, region, holder, inputs, parameters)
        if layer.output not in self._inside and layer.output in self._tensor_index:
            self._store(index, holder, region)

    def _block(
        self,
        index: int,
        region: Region,
        holder: Held,
        inputs: tuple[Held, ...],
        parameters: Parameters,
        limit: int = UNLIMITED,
    ) -> None:
        layer = self._segment.layers[index]
        if isinstance(layer.kernel, Copy):
            self._copy(index, layer.kernel, region, holder, parameters, limit)
            return
        sections = constants_of(layer, region) if kernel_facts(layer.kernel).constants.by_place else None
        part = b"" if sections is None else pack_constants(sections)
        key = (index, region.channels if kernel_facts(layer.kernel).constants.by_channel else (0, 0), part)
        if key not in parameters:
            parameters[key] = self._parameters(index, layer, region)
        self._compute(
            Block(
                index=index,
                layer=layer,
                region=region,
                target=holder,
                inputs=inputs,
                parameters=parameters[key],
                machine=self._machine,
                quads=self._quads,
            )
        )

    def _copy(self, index: int, kernel: Copy, region: Region, holder: Held, parameters: Parameters, limit: int) -> None:
        """One block of a copy: its fill, then load by load what moves put there.

        A move whose source lies in its target's place already is spared.
        """
        layer = self._segment.layers[index]
        block = Block(
            index=index,
            layer=layer,
            region=region,
            target=holder,
            inputs=(),
            parameters=None,
            machine=self._machine,
            quads=self._quads,
        )
        for command in copy_fill(block, kernel):
            self._step(command, {holder.buffer})
        maps = {name: self._segment.maps[name] for name in layer.inputs}
        moves = coordinate_moves(kernel, maps, holder.map)
        sources = CopySources(maps, self._spilled - self._inside, limit, self._machine)
        for load in copy_loads(moves, sources, region):
            source = self._input(index, load.source, load.region)
            for part in load.parts if source.buffer != holder.buffer else ():
                table = self._table(index, layer, kernel.moves[part.number].lookup, parameters)
                for command in gathers(
                    layer=index, part=part, samples=region.samples, source=source, target=holder, table=table
                ):
                    self._step(command, {source.buffer, holder.buffer})

    def _input_regions(self, layer: Layer, target: FeatureMap, region: Region) -> list[Region]:
        """What a block reads of each input; a copy brings its sources in by itself."""
        if isinstance(layer.kernel, Copy):
            return []
        return [
            input_region(layer, position, self._segment.maps[name], target, region)
            for position, name in enumerate(layer.inputs)
        ]

    def _inputs(self, index: int, layer: Layer, regions: Sequence[Region]) -> tuple[Held, ...]:
        return tuple(self._input(index, name, region) for name, region in zip(layer.inputs, regions, strict=False))

    def _input(self, index: int, name: str, region: Region) -> Held:
        feature_map = self._segment.maps[name]
        if name in self._frames.held:
            held = self._frames.held[name]
            self._drafts.use(held.buffer)
            return held
        if name in self._spilled:
            held = self._drafts.stripe(feature_map, region)
            self._load(index, held, region)
            return held
        held = self._placed(name)
        if name in self._segment.inputs:
            self._load_missing(index, held, region)
        self._drafts.use(held.buffer)
        return held

    def _load_missing(self, index: int, held: Held, region: Region) -> None:
        """Loads the rows of a resident network input that no earlier block asked for."""
        for sample in range(*region.samples):
            done = self._loaded_rows.get((held.map.name, sample), 0)
            if region.rows[1] > done:
                rows = Region((sample, sample + 1), (done, region.rows[1]), held.region.columns, held.region.channels)
                self._load(index, held, rows)
                self._loaded_rows[(held.map.name, sample)] = region.rows[1]

    def _target(self, index: int, name: str, feature_map: FeatureMap, region: Region) -> Held:
        held = self._frames.target(index, name, region.samples)
        if held is not None:
            return held
        return self._drafts.stripe(feature_map, region) if name in self._spilled else self._placed(name)

    def _placed(self, name: str) -> Held:
        """A resident map in its root's buffer, which is made when the first of its maps is met."""
        place = self._storage.place(name)
        if place.root not in self._roots:
            feature_map = self._segment.maps[place.root]
            everything = whole(feature_map, self._batch)
            self._roots[place.root] = self._drafts.new(place.root, BufferKind.ACTIVATION, feature_map, everything)
        root, feature_map = self._roots[place.root], self._segment.maps[name]
        ends_with_root = place.channel + feature_map.channels == root.map.channels
        return Held(
            buffer=root.buffer,
            map=feature_map,
            region=whole(feature_map, self._batch),
            strides=root.strides,
            padding=root.padding if ends_with_root else 0,
            offset=place.channel,
        )

    def _compute(self, block: Block) -> None:
        buffers = {held.buffer for held in (block.target, *block.inputs)}
        for command in block_commands(block):
            self._step(command, buffers)

    def _step(self, command: ComputeCommand, buffers: set[int]) -> None:
        self._steps.append(command)
        parameters = facts(command).parameters
        for buffer in buffers if parameters is None else buffers | {parameters}:
            self._drafts.use(buffer, len(self._steps) - 1)

    # -- transfers ------------------------------------------------------------------------------

    def _parameters(self, index: int, layer: Layer, region: Region) -> int | None:
        sections = constants_of(layer, region)
        return None if sections is None else self._load_constants(index, layer, sections)

    def _table(self, index: int, layer: Layer, lookup: Int8Array | None, parameters: Parameters) -> int | None:
        if lookup is None:
            return None
        key = (index, (0, 0), lookup.tobytes())
        if key not in parameters:
            parameters[key] = self._load_constants(index, layer, ConstantSections(lookup=lookup))
        return parameters[key]

    def _load_constants(self, index: int, layer: Layer, sections: ConstantSections) -> int:
        data = pack_constants(sections)
        name = f"{layer.name}/parameters[{len(self._steps)}]"
        self._constants.append(Constants(name, index, data))
        buffer = self._drafts.add(name, BufferKind.PARAMETERS, self._machine.align(len(data)))
        step = len(self._steps)
        self._loads.append(Load(LoadConstants(index, NO_WAIT, len(self._constants) - 1, buffer), step, step))
        return buffer

    def _load(self, index: int, held: Held, region: Region) -> None:
        command = LoadTensor(index, NO_WAIT, *self._transfer(held, region))
        self._loads.append(Load(command, len(self._steps), len(self._steps)))

    def _transfer(self, held: Held, region: Region) -> tuple[int, int, int, int, Box]:
        tensor = self._tensors[self._tensor_index[held.map.name]]
        strides = Strides(tensor.sample_stride, tensor.row_stride, tensor.pixel_stride)
        box = transfer_box(held, region, strides)
        return (
            self._tensor_index[held.map.name],
            offset_from(whole(held.map, self._batch), strides, region),
            held.buffer,
            offset_in(held, region),
            box,
        )

    def _finished(self, name: str, plan: BlockPlan, region: Region, target: FeatureMap) -> Region | None:
        """What to store after a block: a spilled block at once, a resident stripe after its last channel block."""
        if name not in self._tensor_index:
            return None
        if name in self._spilled or plan.order is LoopOrder.CHANNELS:
            return region
        if region.channels[1] < target.channels:
            return None
        return Region(region.samples, region.rows, region.columns, (0, target.channels))

    def _store(self, index: int, held: Held, region: Region) -> None:
        step = len(self._steps) - 1
        self._stores.append(Store(StoreTensor(index, NO_WAIT, *self._transfer(held, region)), step))
        self._drafts.use(held.buffer, step + 1)

    # -- the record ------------------------------------------------------------------------------

    def finish(self) -> Tiling:
        """The frozen tiling."""
        return Tiling(
            segment=self._segment.name,
            batch=self._batch,
            layers=tuple(ProgramLayer(layer.name, layer.operator) for layer in self._segment.layers),
            steps=tuple(self._steps),
            loads=tuple(self._loads),
            stores=tuple(self._stores),
            buffers=self._drafts.finish(),
            tensors=self._tensors,
            constants=tuple(self._constants),
            spilled=tuple(sorted(self._spilled)),
            fused=tuple(sorted(self._inside)),
        )
