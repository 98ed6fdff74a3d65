"""The View's layers: the static schedule, with what the report adds to each layer, matched by name.

In: statistics and rows of the report, either may be missing. Out: a `Table` of `Layer`. A statistics file alone is read
column by column, so that a million layers cost no million records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sima_compiler.archive.report_records import Placement, ReportLayer
from sima_compiler.archive.stats import LayerStats, MlaStats
from sima_compiler.view.palette import CAUSES, family, operator_of
from sima_compiler.view.records import Layer, Segment
from sima_compiler.view.tables import Table, coded_texts, integers

#: The statistics file is the MLA's.
_STATISTICS_OF = "MLA"


def layer_table(
    stats: MlaStats | None, rows: Sequence[ReportLayer], placements: Sequence[Placement], segments: Sequence[Segment]
) -> Table[Layer]:
    """Every layer of the statistics and of the report, in the order of their ids."""
    if not rows:
        return _from_stats(stats)
    places = {placement.node: placement for placement in placements}
    processors = {segment.name: segment.processor for segment in segments}
    entries: dict[str, LayerStats] = {}
    listed = stats.layers if stats is not None else ()
    # A second entry of the same name stays a row of its own.
    others = [entry for entry in listed if entries.setdefault(entry.name, entry) is not entry]
    found = [_layer(row, entries.pop(row.name, None), places, processors) for row in rows]
    unknown = [_bare(entry) for entry in (*entries.values(), *others)]
    return Table.of(Layer, sorted([*found, *unknown], key=lambda layer: layer.id))


def longest_layers(layers: Table[Layer], most: int) -> list[Layer]:
    """At most so many layers of the static schedule, the longest ones, in its order."""
    if "start_cycle" not in layers.columns:
        return []
    starts, cycles = layers.columns["start_cycle"].values, layers.columns["compute_cycles"].values
    order = np.argsort(-np.where(starts < 0, -1, cycles), kind="stable")[:most]
    return [layers[index] for index in sorted(order.tolist()) if starts[index] >= 0]


def scheduled_count(layers: Table[Layer]) -> int:
    """How many layers have a place in the static schedule."""
    column = layers.columns.get("start_cycle")
    return 0 if column is None else int((column.values >= 0).sum())


def family_cycles(layers: Table[Layer]) -> dict[str, int]:
    """Compute cycles of the static schedule by family."""
    columns = layers.columns
    if "start_cycle" not in columns:
        return {}
    family_column, cycles = columns["family"], columns["compute_cycles"].values
    placed = columns["start_cycle"].values >= 0
    sums = np.zeros(len(family_column.texts), np.int64)
    np.add.at(sums, family_column.values[placed], cycles[placed])
    used = np.bincount(family_column.values[placed], minlength=len(sums))
    pairs = zip(family_column.texts, sums.tolist(), used.tolist(), strict=True)
    return {name: cycles for name, cycles, count in pairs if count}


def shape_text(shape: Sequence[int]) -> str | None:
    """``1x56x56x64``; None where no shape is recorded."""
    return "x".join(map(str, shape)) or None


def _from_stats(stats: MlaStats | None) -> Table[Layer]:
    if stats is None:
        return Table.of(Layer, ())
    count = len(stats.names)
    operators: dict[str, int] = {}
    codes = [operators.setdefault(operator_of(name), len(operators)) for name in stats.names]
    families: dict[str, int] = {}
    family_of = [families.setdefault(family(operator), len(families)) for operator in operators]
    segments: dict[str, int] = {}
    segment_codes = [segments.setdefault(name.rpartition("/")[0], len(segments)) for name in stats.names]
    columns = {
        "id": integers(stats.ids),
        "name": coded_texts(np.arange(count), stats.names),
        "family": coded_texts(np.asarray(family_of, np.int64)[codes] if count else [], tuple(families)),
        "operator": coded_texts(codes, tuple(operators)),
        "segment": coded_texts(segment_codes, tuple(segments)),
        "processor": coded_texts(np.zeros(count, np.int64), (_STATISTICS_OF,)),
        "start_cycle": integers(stats.start_cycles),
        "end_cycle": integers(stats.end_cycles),
        "compute_cycles": integers(stats.end_cycles - stats.start_cycles + 1),
    }
    return Table(Layer, count, columns)


def _bare(entry: LayerStats) -> Layer:
    """An entry of the statistics that the report does not know."""
    operator = operator_of(entry.name)
    return Layer(
        id=entry.id,
        name=entry.name,
        family=family(operator),
        operator=operator,
        segment=entry.name.rpartition("/")[0],
        processor=_STATISTICS_OF,
        start_cycle=entry.start_cycle,
        end_cycle=entry.end_cycle,
        compute_cycles=entry.cycles,
    )


def _layer(
    row: ReportLayer,
    entry: LayerStats | None,
    places: Mapping[str, Placement],
    processors: Mapping[str, str],
) -> Layer:
    placement = next((places[node] for node in row.sources if node in places), None)
    operator = row.operator or operator_of(row.name)
    return Layer(
        id=row.id,
        name=row.name,
        family=family(operator),
        operator=operator,
        segment=row.segment,
        processor=placement.processor if placement else processors.get(row.segment, ""),
        start_cycle=entry.start_cycle if entry else None,
        end_cycle=entry.end_cycle if entry else None,
        run_start_cycle=row.intervals[0][0] if row.intervals else None,
        run_end_cycle=row.intervals[-1][1] if row.intervals else None,
        compute_cycles=row.compute_cycles,
        runtime_cycles=row.runtime_cycles,
        cause_cycles=cause_cycles(row.work_cycles, row.stall_cycles, row.compute_cycles),
        macs=row.macs,
        utilization=row.utilization,
        bound_by=row.bound_by,
        sources=row.sources,
        inputs=row.inputs,
        output=row.output or None,
        input_shapes=tuple(shape_text(shape) or "" for shape in row.input_shapes),
        output_shape=shape_text(row.output_shape),
        input_bytes=row.input_bytes,
        output_bytes=row.output_bytes,
        weight_bytes=row.weight_bytes,
        parameter_bytes=row.parameter_bytes,
        stored_parameter_bytes=row.stored_parameter_bytes,
        loaded_bytes=row.loaded_bytes,
        stored_bytes=row.stored_bytes,
        blocks=row.blocks,
        block_shape=shape_text(row.block_shape),
        placement=placement.reason or None if placement else None,
    )


def cause_cycles(work: Mapping[str, int], stalls: Mapping[str, int], compute_cycles: int | None) -> tuple[int, ...]:
    """Cycles by cause in the palette's order; compute stays whole where a report does not divide it.

    Nothing where there are no stalls: the runtime is not known then.
    """
    if not stalls:
        return ()
    found = {**(work or {"compute": compute_cycles or 0}), **stalls}
    return tuple(found.get(cause.key, 0) for cause in CAUSES)
