"""500 random networks of several segments beside their files in onnxruntime: ``python -m tests.long.random_segments``.

Every tenth is compiled and its archive simulated too. Prints how many networks, segments, skips and elements agreed.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from sima_compiler import Model
from tests.endtoend.test_random_segments import skips
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.random_segments import random_segments


def main() -> None:
    """Judge them all; the first difference ends the run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--archives", type=int, default=10, help="compile one in so many too; 0: none")
    given = parser.parse_args()
    segments = skipped = elements = archives = 0
    for seed in range(given.first, given.first + given.count):
        original = random_segments(seed)
        model = Model.from_onnx(original)
        reals = assert_reference_agrees(original, batch=seed % 5 + 1, seed=seed, model=model)
        elements += sum(array.size for array in reals.values())
        segments, skipped = segments + len(model.network.segments), skipped + skips(model)
        if given.archives and seed % given.archives == 0:
            with tempfile.TemporaryDirectory() as folder:
                assert_judges_agree(original, Path(folder), batch=seed % 5 + 1, compress=True, seed=seed, model=model)
            archives += 1
    print(
        f"{given.count} networks, {segments} segments, {skipped} skips, {elements:,} elements equal; "
        f"{archives} archives simulated"
    )


if __name__ == "__main__":
    main()
