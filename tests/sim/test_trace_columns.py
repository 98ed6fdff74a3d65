"""The public trace: needs no inputs, agrees with the replay that a simulation shows, and adds up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Archive, ArchiveError
from sima_compiler.sim.timing import replay_lm
from tests.support.archives import vendor_archive

SAMPLES = sorted((Path(__file__).parents[1] / "archive" / "samples").glob("*_mpk.tar.gz"))


@pytest.fixture(scope="module", params=SAMPLES, ids=lambda path: path.name)
def archive(request: pytest.FixtureRequest) -> Archive:
    return Archive.open(request.param)


def test_it_equals_the_replay_event_by_event(archive: Archive) -> None:
    columns, run = archive.trace(), replay_lm(archive.read(archive.lm_files[0]))
    assert columns.runtime_cycles == run.runtime_cycles
    assert columns.clock_mhz == run.clock_mhz
    told = [
        (columns.engine_names[engine], columns.layer_names[layer], start, end + 1)
        for engine, layer, start, end in zip(
            columns.engines.tolist(),
            columns.layers.tolist(),
            columns.start_cycles.tolist(),
            columns.end_cycles.tolist(),
            strict=True,
        )
    ]
    assert told == [(event.engine, event.layer, event.start, event.end) for event in run.events]


def test_work_and_stalls_add_up_to_the_runtime(archive: Archive) -> None:
    columns, run = archive.trace(), replay_lm(archive.read(archive.lm_files[0]))
    compute = columns.engines == columns.engine_names.index("compute")
    lengths = (columns.end_cycles - columns.start_cycles + 1)[compute]
    stalls = columns.stall_cycles[compute]
    behind = columns.runtime_cycles - (int(columns.end_cycles[compute].max()) + 1)
    assert int(lengths.sum()) + int(stalls.sum()) + behind == columns.runtime_cycles
    for code, name in enumerate(columns.cause_names):
        found = int(stalls[columns.causes[compute] == code].sum())
        assert found == run.stall_cycles.get(name, 0) - (behind if name == "output" else 0), name
    assert not columns.stall_cycles[~compute].any()


def test_columns_are_read_only_and_of_the_stated_types(archive: Archive) -> None:
    columns = archive.trace()
    types = {
        "engines": np.uint8, "layers": np.int32, "start_cycles": np.int64, "end_cycles": np.int64,
        "causes": np.uint8, "stall_cycles": np.int64,
    }  # fmt: skip
    for name, dtype in types.items():
        column = getattr(columns, name)
        assert column.dtype == dtype, name
        assert len(column) == len(columns), name
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0


def test_an_archive_of_another_compiler_has_no_trace(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"no \.lm"):
        Archive.open(vendor_archive(tmp_path)).trace()
