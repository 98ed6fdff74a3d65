"""A sweep from end to end: the points, what is finished already, the rest in parallel, and the table.

In: a model and values per option. Out: a `SweepTable` in the order of the points. Always: a row is kept as soon as it
is there; a point that fails is a row; only what says nothing about the point (a process that was killed) is tried
again, once, and is never kept as finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sima_compiler.errors import OptionError
from sima_compiler.folders import check_output_folder, output_folder
from sima_compiler.machine.description import Machine
from sima_compiler.model import Model
from sima_compiler.sweeping.executors import DaskClient, Workplace, usual_jobs, workplace
from sima_compiler.sweeping.finished import Finished
from sima_compiler.sweeping.points import SweepPoint, SweptNetwork, points_of
from sima_compiler.sweeping.sizes import InputSizes, networks_of
from sima_compiler.sweeping.work import failed_point
from sima_compiler.view.sweep import SweepRow, SweepTable

if TYPE_CHECKING:
    from sima_compiler.frontend.loading import OnnxModel

#: Called with each row as it comes, how many are done, and how many there are.
OnRow = Callable[[SweepRow, int, int], None]


def sweep(
    model: Model | str | Path | OnnxModel,
    *,
    batch_sizes: int | Iterable[int] = (1,),
    quads: int | Iterable[int | None] | None = None,
    compress: bool | Iterable[bool] = True,
    machines: str | Path | Machine | Iterable[str | Path | Machine] = "mlsoc",
    input_shapes: InputSizes = None,
    executor: Executor | DaskClient | None = None,
    jobs: int | None = None,
    output_path: str | Path | None = None,
    keep_archives: bool = False,
    on_row: OnRow | None = None,
) -> SweepTable:
    """Compiles a quantized model for every combination of options.

    ``batch_sizes``, ``quads`` (None: all of the machine's), ``compress`` and ``machines`` take one value or several.
    ``input_shapes`` takes whole shapes, (rows, columns), or None for the model's own. ``executor`` is any
    `concurrent.futures.Executor`, or a `distributed.Client`; by default ``jobs`` processes of this machine, one per
    core. With ``output_path`` finished rows are kept there, and a later sweep computes only the rest; a point is known
    by its model's bytes, its options, its machine's description and the version of this package.
    ``keep_archives`` puts every archive into ``output_path``, in a folder named by the row's key. ``on_row`` hears of
    each row as it comes.

    Raises:
        ModelError: the model cannot be read, or is a float one. OptionError: a value is out of range, or there is
        none. MachineError: no such machine. OutputError: the folder cannot be made or written to.
    """
    if keep_archives and output_path is None:
        raise OptionError("keep_archives needs an output_path", hint="name the folder that takes them")
    folder = Path(output_path).expanduser() if output_path is not None else None
    if folder:
        check_output_folder(folder)
    chosen = [
        entry if isinstance(entry, Machine) else Machine.load(entry) for entry in _several(machines, str, Path, Machine)
    ]
    sized = networks_of(model, input_shapes)
    points = [
        point
        for network, sizes in sized
        for point in points_of(
            network,
            batch_sizes=[_whole("batch size", size) for size in _several(batch_sizes, int)],
            quads=[None if count is None else _whole("quads", count) for count in _several(quads, int, type(None))],
            compress=_several(compress, bool),
            machines=chosen,
            input_sizes=sizes,
        )
    ]
    task = _Task(points, [network for network, _ in sized], executor, jobs or usual_jobs(), on_row)
    if folder is None:
        return task.run(Finished(None), None)
    with output_folder(folder):
        return task.run(Finished(folder), folder.absolute() if keep_archives else None)


@dataclass(frozen=True, slots=True)
class _Task:
    points: Sequence[SweepPoint]
    networks: Sequence[SweptNetwork]
    executor: Executor | DaskClient | None
    jobs: int
    on_row: OnRow | None

    def run(self, finished: Finished, archives: Path | None) -> SweepTable:
        """The table; what is finished is told first."""
        rows: dict[str, SweepRow] = {}

        def take(row: SweepRow, *, keep: bool) -> None:
            if keep:
                finished.add(row)
            rows[row.key] = row
            if self.on_row:
                self.on_row(row, len(rows), len(self.points))

        rest = [point for point in self.points if not _is_finished(finished, point, archives)]
        for point in self.points:
            if _is_finished(finished, point, archives):
                take(finished.rows[point.key], keep=False)
        jobs = min(self.jobs, len(rest))
        lost = self._compile(rest, archives, take, jobs=jobs if jobs > 1 else 0)
        # What was being compiled when a process died is tried again alone, so that it takes no other point with it.
        for point in lost:
            for again in self._compile([point], archives, take, jobs=1):
                take(failed_point(again, "its process died twice while compiling it", "WorkerDied"), keep=False)
        return SweepTable(tuple(rows[point.key] for point in self.points))

    def _compile(
        self, points: Sequence[SweepPoint], archives: Path | None, take: Callable[..., None], *, jobs: int
    ) -> list[SweepPoint]:
        """Compiles the points; returns those whose process died."""
        if not points:
            return []
        with workplace(self.executor, self.networks, jobs, archives) as place:
            return _gathered(points, place, take)


def _gathered(points: Sequence[SweepPoint], place: Workplace, take: Callable[..., None]) -> list[SweepPoint]:
    futures: dict[Future[SweepRow], SweepPoint] = {}
    lost: list[SweepPoint] = []
    try:
        for point in points:
            futures[place.submit(point)] = point
        for future in as_completed(futures):
            try:
                take(future.result(), keep=True)
            except BrokenExecutor:
                lost.append(futures[future])
            except Exception as error:  # noqa: BLE001 - of a worker: it belongs into the row of its point
                take(failed_point(futures[future], str(error) or "no message", type(error).__name__), keep=False)
    except BrokenExecutor:
        lost = [point for point in points if point not in {futures[f] for f in futures if f.done()}]
    finally:
        for future in futures:
            future.cancel()
    return lost


def _is_finished(finished: Finished, point: SweepPoint, archives: Path | None) -> bool:
    row = finished.rows.get(point.key)
    if row is None:
        return False
    return archives is None or bool(row.problem) or (bool(row.archive) and Path(row.archive).is_file())


def _several(value: Any, *kinds: type) -> list[Any]:
    """One value or several, as a list."""
    return [value] if isinstance(value, kinds) else list(value)


def _whole(label: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise OptionError(f"{label} is {value!r}, expected a whole number of at least 1")
    return int(value)
