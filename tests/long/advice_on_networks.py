"""The largest finding on each benchmark network recovers 0.5 to 1.5 of what it claims.

Not collected by a plain pytest run: quantizing seven networks takes minutes. `make test-long` names this file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sima_compiler.view import View, view_of
from tests.benchmarks.networks import GENERATED, generated

#: Alone, a sample waits neither for weights nor for memory: two spilled maps hide behind its compute.
WITHOUT_FINDING = {"unet_512"}


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", sorted(GENERATED))
def test_the_largest_finding_is_followed(name: str, batch: int, tmp_path: Path) -> None:
    model = generated(name)

    def compiled(wanted: int) -> View:
        return view_of(model.compile(output_path=str(tmp_path), batch_size=wanted).archive)

    def per_sample(view: View) -> float:
        return (view.totals.runtime_cycles or 0) / (view.batch.actual_batch_size or 1)

    before = compiled(batch)
    found = next((one for one in before.findings if one.kind == "larger_batch"), None)
    if batch == 1 and name not in WITHOUT_FINDING:
        assert found is not None
        assert found is before.findings[0]
    if found is None:
        return
    wanted = int(found.advice.partition("--batch-size ")[2].partition(")")[0])
    recovered = (per_sample(before) - per_sample(compiled(wanted))) * (before.batch.actual_batch_size or 1)
    assert found.cycles is not None
    assert 0.5 <= found.cycles / recovered <= 1.5, (found.cycles, recovered)
