"""The View's archive and pipeline: files with roles, plugins with buffers, the links between them, segments.

In: an `Archive`. Out: tables and segments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sima_compiler.archive.mpk_document import MpkPlugin
from sima_compiler.archive.reader import Archive
from sima_compiler.view.records import FileRow, Link, Plugin, Port, Segment
from sima_compiler.view.tables import Table

#: Processors whose plugins are segments of the network; the others carry tensors to them and back.
_SEGMENTS = ("MLA", "A65")


def file_table(archive: Archive) -> Table[FileRow]:
    """The files in the archive's order."""
    return Table.of(FileRow, (FileRow(file.name, file.bytes, file.kind.value) for file in archive.files))


def plugin_table(archive: Archive) -> Table[Plugin]:
    """The plugins in the order of their sequence numbers."""
    return Table.of(Plugin, (_plugin(plugin, number) for number, plugin in enumerate(archive.mpk.plugins, 1)))


def link_table(archive: Archive) -> Table[Link]:
    """Every buffer from its producer to each of its readers; what nobody reads goes to the model's outputs."""
    return Table.of(Link, _links(archive))


def segments_of(archive: Archive) -> tuple[Segment, ...]:
    """Segments in the order of execution: those of the report, or the MLA and A65 plugins where it names none."""
    report = archive.report
    layers = Counter(row.segment for row in report.layers) if report else Counter[str]()
    if not layers and archive.stats is not None:
        layers = Counter(name.rpartition("/")[0] for name in archive.stats.names)
    plugins = {plugin.name: plugin for plugin in archive.mpk.plugins if plugin.processor in _SEGMENTS}
    if not report or not report.segments:
        return tuple(
            Segment(name, plugin.processor, plugin.executable, layers[name]) for name, plugin in plugins.items()
        )
    found: list[Segment] = []
    static = 0
    for segment in report.segments:
        plugin = plugins.get(segment.name)
        found.append(
            Segment(
                name=segment.name,
                processor=segment.processor,
                file=segment.file or (plugin.executable if plugin else ""),
                layers=layers[segment.name],
                start_cycle=segment.start_cycle,
                static_start_cycle=None if segment.compute_cycles is None else static,
                compute_cycles=segment.compute_cycles,
                runtime_cycles=segment.runtime_cycles,
                steps=segment.steps,
                on_chip_bytes=segment.on_chip_bytes,
                peak_bytes=segment.peak_bytes,
                lower_bound_bytes=segment.lower_bound_bytes,
                spilled=segment.spilled,
            )
        )
        static += segment.compute_cycles or 0
    return tuple(found)


def _plugin(plugin: MpkPlugin, number: int) -> Plugin:
    return Plugin(
        sequence=number if plugin.sequence is None else plugin.sequence,
        name=plugin.name,
        processor=plugin.processor,
        detail=plugin.kernel or plugin.executable,
        desired_batch_size=plugin.desired_batch_size,
        actual_batch_size=plugin.actual_batch_size,
        inputs=tuple(Port(port.name, port.size) for port in plugin.inputs),
        outputs=tuple(Port(port.name, port.size) for port in plugin.outputs),
    )


def _links(archive: Archive) -> Iterator[Link]:
    plugins = archive.mpk.plugins
    producers: dict[str, int] = {}
    read: set[str] = set()
    for index, plugin in enumerate(plugins):
        for port in plugin.inputs:
            yield Link(port.name, producers.get(port.name), index, port.size)
            read.add(port.name)
        producers |= {port.name: index for port in plugin.outputs}
    for index, plugin in enumerate(plugins):
        yield from (Link(port.name, index, None, port.size) for port in plugin.outputs if port.name not in read)
