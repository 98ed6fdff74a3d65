"""What a canvas shows at a place, and what changes on it: pictures have no text that a test could read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator

from sima_compiler.archive.report_records import MemoryBuffer
from tests.jupyterlab.workbook import Workbook

#: Lanes of the timeline from above, as this network has them: 24 px of ruler, 30 px each; names stand left of 64 px.
LANES = ("static", "compute", "dma_in", "dma_out")
_RULER, _LANE, _GUTTER = 24, 30, 64

#: The foot with the axis below the memory map, and the room above the highest address where there is far more memory.
_FOOT, _ROOM = 22, 1.12

#: Functions of the page: a copy of a canvas, and the box of all pixels in which two copies differ within some rows.
SCRIPT = """
window.simaCopy = canvas =>
  canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, canvas.width, canvas.height);
window.simaChange = (before, after, top = 0, bottom = Infinity) => {
  const box = { left: Infinity, right: -1, count: 0 };
  for (let y = top; y < Math.min(bottom, after.height); y++) {
    for (let x = 0; x < after.width; x++) {
      const at = 4 * (y * after.width + x);
      if ([0, 1, 2].every(part => before.data[at + part] === after.data[at + part])) continue;
      box.left = Math.min(box.left, x);
      box.right = Math.max(box.right, x);
      box.count++;
    }
  }
  return box;
};
window.simaFrames = count => new Promise(done => {
  const step = () => (count-- ? requestAnimationFrame(step) : done());
  step();
});
"""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The timeline of an explorer that shows the whole run."""

    view: Locator
    cycles: int

    @staticmethod
    def of(workbook: Workbook, view: Locator) -> Timeline:
        """The axis is as long as the run, which the report knows."""
        assert workbook.report.runtime_cycles is not None
        return Timeline(view, workbook.report.runtime_cycles)

    @property
    def canvas(self) -> Locator:
        """What is painted on."""
        return self.view.locator(".sima-timeline canvas")

    def x(self, cycle: float) -> float:
        """Where a cycle lies, in pixels from the left."""
        box = self.canvas.bounding_box()
        assert box is not None
        return _GUTTER + cycle / self.cycles * (box["width"] - _GUTTER)

    def colour(self, lane: str, cycle: float) -> list[int]:
        """Red, green and blue of a bar, just below its upper edge, where no name is written."""
        place = [int(self.x(cycle)), lane_rows(lane)[0] + 4]
        return self.canvas.evaluate(
            "(canvas, [x, y]) => [...canvas.getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3)", place
        )


@dataclass(frozen=True, slots=True)
class MemoryPicture:
    """The memory map of an explorer that shows the whole run."""

    view: Locator
    buffers: tuple[MemoryBuffer, ...]
    cycles: int

    @staticmethod
    def of(workbook: Workbook, view: Locator) -> MemoryPicture:
        """Buffers are the report's."""
        assert workbook.report.runtime_cycles is not None
        return MemoryPicture(view, workbook.report.memory_map, workbook.report.runtime_cycles)

    @property
    def canvas(self) -> Locator:
        """What is painted on."""
        return self.view.locator(".sima-map")

    def large(self) -> dict[str, tuple[int, int]]:
        """A pixel of every buffer that is drawn large enough to be told apart, by name: right of any name in it."""
        box = self.canvas.bounding_box()
        assert box is not None
        width, height = box["width"] - _GUTTER, box["height"] - _FOOT
        top = _ROOM * max(buffer.address + buffer.bytes for buffer in self.buffers)
        found: dict[str, tuple[int, int]] = {}
        for buffer in self.buffers:
            assert buffer.start_cycle is not None
            assert buffer.end_cycle is not None
            left, right = (_GUTTER + cycle / self.cycles * width for cycle in (buffer.start_cycle, buffer.end_cycle))
            if right - left > 12 and buffer.bytes / top * height > 8:
                middle = height * (1 - (buffer.address + buffer.bytes / 2) / top)
                found[buffer.name] = int(right) - 5, int(middle)
        return found

    def colours(self) -> dict[str, list[int]]:
        """Red, green and blue of every large buffer."""
        return {
            name: self.canvas.evaluate(
                "(canvas, [x, y]) => [...canvas.getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3)", place
            )
            for name, place in self.large().items()
        }


def lane_rows(lane: str) -> tuple[int, int]:
    """First and last but one row of a lane in pixels."""
    top = _RULER + _LANE * LANES.index(lane)
    return top, top + _LANE


def ready(workbook: Workbook) -> None:
    """Put the functions on the page."""
    workbook.notebook.page.evaluate(f"() => {{ {SCRIPT} }}")


def frames(workbook: Workbook, count: int) -> None:
    """Wait for so many frames."""
    workbook.notebook.page.evaluate("count => window.simaFrames(count)", count)


def run_on(view: Locator, code: str, given: Any = None) -> Any:
    """Evaluate ``code`` as the body of an async function of ``view`` and ``given``."""
    return view.evaluate(f"async (view, given) => {{ {code} }}", given)
