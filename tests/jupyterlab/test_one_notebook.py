"""A notebook that compiles, explores, negotiates and compares, in JupyterLab: the page says what the archive says."""

from __future__ import annotations

import re

import onnx
import pytest
from playwright.sync_api import Locator, expect

from sima_compiler import Model
from sima_compiler.archive.report_records import ReportLayer
from sima_compiler.view import compare_views, palette, units, view_of
from tests.jupyterlab.canvases import LANES, MemoryPicture, Timeline, lane_rows, ready, run_on
from tests.jupyterlab.workbook import Workbook

IN_LAB = pytest.mark.parametrize("opened_workbook", ["lab"], indirect=True)
#: A layer in the middle, made of two nodes of the source, whose operand lives through another layer.
CHOSEN = 4


def rows(view: Locator) -> Locator:
    """Rows of the explorer's table of layers."""
    return view.locator("[role=grid] .sima-body [role=row]")


def names(view: Locator) -> list[str]:
    return [text.strip() for text in rows(view).locator(".sima-wide").all_text_contents()]


def short(name: str) -> str:
    """A layer as the table writes it where there is one segment."""
    return name.rpartition("/")[2]


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.fixture
def explorer(workbook: Workbook) -> Locator:
    ready(workbook)
    view = workbook.shown("stats")
    expect(rows(view)).to_have_count(len(workbook.layers))
    return view


def test_one_selection_is_in_four_places_within_three_frames(workbook: Workbook, explorer: Locator) -> None:
    layer = workbook.layers[CHOSEN]
    memory = MemoryPicture.of(workbook, explorer)
    before = memory.colours()
    found = run_on(
        explorer,
        """const timeline = view.querySelector(".sima-timeline canvas");
        const before = window.simaCopy(timeline);
        view.querySelectorAll(".sima-body .sima-row")[given.row].click();
        await window.simaFrames(3);
        const after = window.simaCopy(timeline);
        return {
          lanes: given.lanes.map(([top, bottom]) => window.simaChange(before, after, top + 1, bottom - 1)),
          map: view.querySelector(".sima-map").toDataURL(),
          rows: [...view.querySelectorAll(".sima-body [aria-selected=true] .sima-wide")].map(cell => cell.textContent),
          details: view.querySelector(".sima-details").textContent,
        };""",
        {"row": CHOSEN, "lanes": [lane_rows(lane) for lane in LANES]},
    )
    assert found["rows"] == [short(layer.name)]
    assert found["details"].startswith(layer.name)
    assert_framed(Timeline.of(workbook, explorer), dict(zip(LANES, found["lanes"], strict=True)), layer)
    after = memory.colours()
    assert found["map"] == memory.canvas.evaluate("canvas => canvas.toDataURL()"), "the map came later"
    used = {buffer.name for buffer in memory.buffers if layer.id in buffer.layers}
    assert len(used & set(after)) >= 2
    assert {name for name in after if after[name] != before[name]} == set(after) - used, "what is not used is pale"
    assert workbook.notebook.python("print(s.selected)") == f"[{layer.id}]"
    workbook.restore()
    expect(explorer.locator("[aria-selected=true]")).to_have_count(0)


def assert_framed(timeline: Timeline, lanes: dict[str, dict[str, int]], layer: ReportLayer) -> None:
    """The changed pixels of each lane begin and end with what the layer does there."""
    for lane, intervals in (("compute", layer.intervals), ("dma_in", layer.load_intervals)):
        assert lanes[lane]["left"] == pytest.approx(timeline.x(intervals[0][0]), abs=4), lane
        assert lanes[lane]["right"] == pytest.approx(timeline.x(intervals[-1][1] + 1), abs=4), lane
    assert layer.store_intervals == ()
    assert lanes["dma_out"]["count"] == 0


@IN_LAB
def test_filter_and_slider_change_rows_bars_and_the_count_together(workbook: Workbook, explorer: Locator) -> None:
    """A source node leaves one layer, the slider the long ones."""
    total = workbook.report.runtime_cycles
    assert total is not None
    source = workbook.layers[CHOSEN].sources[0]
    by_source = [layer for layer in workbook.layers if source in layer.sources]
    assert_shown(workbook, explorer, by_source, after="Filter", value=source)
    assert_shown(workbook, explorer, list(workbook.layers), after="Filter", value="")
    slider = explorer.get_by_label("Least cycles")
    last = int(slider.get_attribute("max") or 0)
    assert last > 5
    slider.evaluate("(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')) }", last)
    least = number((slider.get_attribute("aria-valuetext") or "").split()[0])
    long = [layer for layer in workbook.layers if (layer.runtime_cycles or 0) >= least]
    assert 0 < len(long) < len(workbook.layers)
    assert_shown(workbook, explorer, long, after="Least cycles", value=str(last))
    assert_shown(workbook, explorer, list(workbook.layers), after="Least cycles", value="0")


def assert_shown(workbook: Workbook, explorer: Locator, layers: list[ReportLayer], *, after: str, value: str) -> None:
    """Two frames after the count changes to these layers, rows and bars are theirs."""
    cycles = sum(layer.runtime_cycles or 0 for layer in layers)
    share = units.percent(cycles / (workbook.report.runtime_cycles or 1))
    sentence = f"{len(layers)} of {len(workbook.layers)} layers, {cycles:,} cycles ({share})"
    explorer.get_by_label(after).evaluate(
        "(field, value) => { field.value = value; field.dispatchEvent(new Event('input', { bubbles: true })) }", value
    )
    found = run_on(
        explorer,
        """const count = view.querySelector("[role=status].sima-count");
        for (let wait = 0; wait < 120 && count.textContent !== given; wait++) await window.simaFrames(1);
        await window.simaFrames(2);
        return {
          count: count.textContent,
          rows: [...view.querySelectorAll(".sima-body [role=row] .sima-wide")].map(cell => cell.textContent),
        };""",
        sentence,
    )
    assert found == {"count": sentence, "rows": [short(layer.name) for layer in layers]}
    timeline = Timeline.of(workbook, explorer)
    empty = timeline.colour("dma_out", 0.02 * timeline.cycles)
    for layer in workbook.layers:
        middle = (layer.intervals[-1][0] + layer.intervals[-1][1]) / 2
        assert (timeline.colour("compute", middle) != empty) == (layer in layers), layer.name


@IN_LAB
def test_three_orders_say_so_and_sort(workbook: Workbook, explorer: Locator) -> None:
    def by_name(layer: ReportLayer) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", short(layer.name))]

    for title, sort, order in (
        ("Cycles", "descending", sorted(workbook.layers, key=lambda layer: -(layer.runtime_cycles or 0))),
        ("Layer", "ascending", sorted(workbook.layers, key=by_name)),
        ("#", "ascending", list(workbook.layers)),
    ):
        explorer.get_by_role("button", name=title, exact=True).click()
        sorted_by = explorer.locator('[aria-sort]:not([aria-sort="none"])')
        expect(sorted_by).to_have_count(1)
        expect(sorted_by).to_contain_text(title)
        expect(sorted_by).to_have_attribute("aria-sort", sort)
        assert names(explorer) == [short(layer.name) for layer in order]
    assert workbook.notebook.python("print(s.order)") == "timeline"


@IN_LAB
def test_parts_add_up_to_the_runtime(workbook: Workbook, explorer: Locator) -> None:
    """Of the whole run, with the numbers of the report, and of one layer."""
    report = workbook.report
    labels = {label.key: label.label for label in palette.CAUSES}
    parts = {labels[key]: cycles for key, cycles in {**report.work_cycles, **report.stall_cycles}.items() if cycles}
    assert sum(parts.values()) == report.runtime_cycles
    section = explorer.locator(".sima-section", has_text="Where the cycles go")
    assert causes(section) == {**parts, "all": report.runtime_cycles}
    shares = [float(text.rstrip(" %")) for text in section.locator("td:last-child").all_inner_texts()]
    assert sum(shares[:-1]) == pytest.approx(100, abs=0.2)
    assert sum(number(text) for text in rows(explorer).locator("[role=gridcell]:nth-child(4)").all_inner_texts()) == (
        report.runtime_cycles
    )
    layer = workbook.layers[0]
    rows(explorer).first.click()
    own = {labels[key]: cycles for key, cycles in {**layer.work_cycles, **layer.stall_cycles}.items() if cycles}
    assert causes(explorer.locator(".sima-details")) == {**own, "all": layer.runtime_cycles}
    rows(explorer).first.press("Escape")


def causes(place: Locator) -> dict[str, int]:
    """The table of causes: label -> cycles."""
    lines = place.locator(".sima-causes tbody tr")
    return {
        label.strip(): number(cycles)
        for label, cycles in zip(
            lines.locator("th").all_inner_texts(), lines.locator("td:nth-child(2)").all_inner_texts(), strict=True
        )
    }


@IN_LAB
def test_the_peak_of_the_memory_map_is_the_reports(workbook: Workbook, explorer: Locator) -> None:
    (segment,) = [found for found in workbook.report.segments if found.peak_bytes]
    assert segment.peak_bytes is not None
    assert segment.on_chip_bytes is not None
    share = units.percent(segment.peak_bytes / segment.on_chip_bytes)
    expect(explorer.locator(".sima-section", has_text="On-chip memory")).to_contain_text(
        f"Peak {units.size(segment.peak_bytes)} of {units.size(segment.on_chip_bytes)} ({share}), "
        f"{len(workbook.report.memory_map)} buffers"
    )
    memory = MemoryPicture.of(workbook, explorer)
    for name, (x, y) in memory.large().items():
        memory.canvas.hover(position={"x": x, "y": y})
        buffer = next(buffer for buffer in memory.buffers if buffer.name == name)
        expect(explorer.locator(".sima-memory [role=status]")).to_contain_text(
            f"{units.size(buffer.bytes)} at {buffer.address:,}, cycles {buffer.start_cycle:,} to "
        )


@IN_LAB
def test_details_name_the_source_nodes(workbook: Workbook, explorer: Locator) -> None:
    nodes = {node.name for node in onnx.load(workbook.lab.folder / "residual.onnx").graph.node}
    for at, layer in enumerate(workbook.layers):
        assert set(layer.sources) <= nodes
        rows(explorer).nth(at).click()
        fact = explorer.locator(".sima-details dl > div", has_text="Source nodes").locator("li")
        expect(fact).to_have_text(list(layer.sources))
        expect(explorer.locator(".sima-details")).to_contain_text(f"{layer.runtime_cycles:,} (")


@IN_LAB
def test_a_comparison_adds_up_and_filters(workbook: Workbook) -> None:
    before, after = workbook.before.report, workbook.report
    assert before is not None
    assert before.runtime_cycles is not None
    assert after.runtime_cycles is not None
    view = workbook.shown("compare")
    expected = compare_views(view_of(workbook.before), view_of(workbook.archive))
    change = after.runtime_cycles - before.runtime_cycles
    counts = expected.counts
    expect(view.locator(".sima-count")).to_have_text(
        f"{len(expected.layers)} of {len(expected.layers)} layers: {counts['added']} added, {counts['gone']} gone, "
        f"{counts['changed']} changed; +{change:,} cycles"
    )
    total = view.get_by_role("row", name=re.compile("^runtime cycles", re.IGNORECASE))
    expect(total.locator("td")).to_have_text(
        [f"{before.runtime_cycles:,}", f"{after.runtime_cycles:,}", f"+{units.percent(change / before.runtime_cycles)}"]
    )
    lines = view.locator("[role=table] .sima-body [role=row]")
    changes = [row.split("\n") for row in lines.all_inner_texts()]
    assert len(changes) == len(expected.layers)
    view.get_by_label("Only changes over").fill("10")
    expect(lines).to_have_count(len(expected.over(10)))
    view.get_by_label("Only changes over").fill("0")
    expect(lines).to_have_count(len(expected.layers))
    files = view.get_by_role("region", name="Files").locator("tbody tr")
    for file in workbook.archive.files:
        expect(files.filter(has_text=file.name).locator("td").nth(1)).to_have_text(units.size(file.bytes))


@IN_LAB
def test_the_tree_has_roles_and_the_files_of_the_archive(workbook: Workbook) -> None:
    view = workbook.shown("archive")
    tree = view.get_by_role("tree", name="Files of the archive")
    items = tree.get_by_role("treeitem")
    files = workbook.archive.files
    expect(items).to_have_count(1 + len(files))
    expect(items.first).to_have_attribute("aria-expanded", "true")
    expect(items.first).to_contain_text(units.size(sum(file.bytes for file in files)))
    for at, file in enumerate(files, 1):
        item = tree.get_by_role("treeitem", name=file.name)
        expect(item).to_contain_text(units.size(file.bytes))
        for name, value in (("level", 2), ("setsize", len(files)), ("posinset", at)):
            expect(item).to_have_attribute(f"aria-{name}", str(value))
    assert tree.get_by_role("treeitem").and_(tree.locator("[tabindex='0']")).count() == 1
    program = next(file for file in files if file.name.endswith(".lm"))
    tree.get_by_role("treeitem", name=program.name).click()
    first = workbook.notebook.python(
        "from sima_compiler.view import MemberPreviews\n"
        f"print(MemberPreviews(t.archive).page({program.name!r}, 0, '').lines[0])"
    )
    expect(view.locator(".sima-lines [data-line='1']")).to_have_text(first)


@IN_LAB
def test_the_batch_tells_what_was_planned(workbook: Workbook) -> None:
    """The sizes around the one that fits, by a plan of their own."""
    view = workbook.shown("batch")
    said = workbook.notebook.python("print(b.view.batch.actual_batch_size, b.view.batch.desired_batch_size)").split()
    actual, desired = map(int, said)
    assert 1 < actual < desired == 120
    lines = view.get_by_role("region", name="Sizes that were weighed").locator("tbody tr")
    expect(lines.and_(view.locator("[data-verdict=built]")).locator("th").first).to_have_text(str(actual))
    expect(lines.last).to_contain_text(f"{actual + 1} to {desired}")
    expect(lines.last).to_have_attribute("data-verdict", "does not fit")
    model = Model.from_onnx(workbook.lab.folder / "residual.onnx")
    built = model.compile(output_path=workbook.lab.folder, batch_size=actual, quads=1).archive.report
    assert built is not None
    assert built.actual_batch_size == actual
    assert built.runtime_cycles is not None
    cells = lines.and_(view.locator("[data-verdict=built]")).locator("td")
    expect(cells.first).to_have_text(f"{round(built.runtime_cycles / actual):,}")


@IN_LAB
def test_the_button_runs_the_archive(workbook: Workbook, explorer: Locator) -> None:
    explorer.get_by_role("button", name="Simulate").click()
    expect(explorer.locator(".sima-action [role=status]")).to_have_text(
        f"Ran 4 samples of random numbers in {workbook.report.runtime_cycles:,} cycles, as recorded."
    )
    assert int(workbook.notebook.python("print(s.run.trace.runtime_cycles)")) == workbook.report.runtime_cycles
