"""310 random networks, each at batch 1 and beyond: ``python -m tests.long.random_graphs``.

In: networks that `tests.strategies` draws, the same in every run. Out: how many were judged, at which batches. Always:
numpy, the simulated `.lm` and onnxruntime agree on every element. Every test run judges fewer of them, each once.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.strategies import Drawn, networks
from tests.support.judges import assert_judges_agree

COUNT = 310
# No shrinking: a failing network prints itself and is small already, and shrinking compiles for minutes.
SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.large_base_example,
    ],
    phases=[Phase.explicit, Phase.generate],
)


@dataclass(slots=True)
class Judged:
    """Networks so far, by what they hold; ``beyond_one`` were compiled for several samples."""

    alone: set[str] = field(default_factory=set[str])
    beyond_one: set[str] = field(default_factory=set[str])

    def __len__(self) -> int:
        return len(self.alone | self.beyond_one)


def judge_networks(folder: Path, count: int, *, both: bool) -> Judged:
    """``count`` networks: at ``both`` batches, or a third of them at batch 1 and the others beyond."""
    judged = Judged()

    @settings(SETTINGS, max_examples=4 * count)
    @given(networks(), st.booleans(), st.sampled_from([2, 3]), st.booleans())
    def check(drawn: Drawn, compress: bool, batch: int, tiny_first: bool) -> None:
        digest = hashlib.sha256(drawn.quantized.SerializeToString()).hexdigest()
        if digest in judged.alone | judged.beyond_one or len(judged) == count:
            return
        machines = ("tiny", "mlsoc") if tiny_first else ("mlsoc", "tiny")
        if both or len(judged) % 3 == 0:
            assert_judges_agree(drawn.quantized, folder, batch=1, compress=compress, machine=machines[0])
            judged.alone.add(digest)
        if both or digest not in judged.alone:
            verdict = assert_judges_agree(
                drawn.quantized, folder, batch=batch, compress=not compress, machine=machines[1]
            )
            (judged.beyond_one if verdict.batch > 1 else judged.alone).add(digest)

    check()
    return judged


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        found = judge_networks(Path(name), COUNT, both=True)
    print(f"{len(found)} networks agree, {len(found.beyond_one)} of them beyond batch 1")
