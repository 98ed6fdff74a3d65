"""The View's lanes: when each engine works, and for which layer, in the run.

In: rows of the report with true intervals. Out: a `Table` of `Event`, in order of time within each engine.
"""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.archive.report_records import ReportLayer
from sima_compiler.view.records import Event
from sima_compiler.view.tables import Table


def event_table(rows: Sequence[ReportLayer]) -> Table[Event]:
    """One event per interval of every layer and engine."""
    events = [
        Event(engine, row.id, start, end)
        for row in rows
        for engine, intervals in (
            ("compute", row.intervals),
            ("dma_in", row.load_intervals),
            ("dma_out", row.store_intervals),
        )
        for start, end in intervals
    ]
    return Table.of(Event, sorted(events, key=lambda event: (event.engine, event.start_cycle, event.end_cycle)))
