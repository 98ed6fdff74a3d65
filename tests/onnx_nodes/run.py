"""What becomes of each of onnx's node tests: equal, one step off by the list, refused by a rule; and the table of it.

``python -m tests.onnx_nodes.run`` writes tests/onnx_nodes/results.md; a test does all of it again and compares.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from sima_compiler import Archive, Model, ModelError, UnsupportedError, simulate
from sima_compiler.frontend.rules import BATCH_FIRST, PRELU_SLOPE
from sima_compiler.sim.reference import run_graph
from tests.onnx_nodes.behind_batch import behind_batch
from tests.onnx_nodes.cases import Case, cases
from tests.support.fed_nodes import assert_fed_nodes_agree
from tests.support.on_mla import on_mla
from tests.support.oracle import differing
from tests.support.outside import session

PAGE = Path(__file__).parent / "results.md"
EQUAL, STEP, BEHIND, REFUSED, NOT_RUN = "equal", "one step", "behind a batch", "refused", "not run"
BATCH_WORDS = (BATCH_FIRST.sentence, "not all the batch", PRELU_SLOPE.sentence)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``verdict``: one of those above; ``reasons``: the rules of a refusal."""

    operator: str
    verdict: str
    reasons: tuple[str, ...] = ()


def outcome(case: Case, folder: Path, *, lift: bool = True) -> Outcome:
    """Read, evaluate on the case's own data beside the file in onnxruntime; compile and simulate its first sample.

    ``lift``: a case that works along the batch is tried with a batch in front of it.

    Raises:
        AssertionError: an element differs that must not.
    """
    if not _runs(case):
        return Outcome(case.operator, NOT_RUN)
    try:
        model = on_mla(case.model, case.name)
        model.compile(output_path=str(folder), batch_size=1)
    except ModelError as error:
        lifted = behind_batch(case) if lift and _is_about_the_batch(error) else None
        if lifted is not None and outcome(lifted, folder, lift=False).verdict in (EQUAL, STEP):
            return Outcome(case.operator, BEHIND)
        rules = {entry.rule or entry.found for entry in error.obstacles} or {_told(error)}
        return Outcome(case.operator, REFUSED, tuple(sorted(rules)))
    inputs = {name: case.inputs[name].astype(np.float32) for name in model.graph.inputs}
    with contextlib.redirect_stdout(io.StringIO()):
        verdict = assert_fed_nodes_agree(case.model, model=model, inputs=inputs)
    _assert_simulated(model, folder / f"{case.name}_mpk.tar.gz", inputs)
    off = any(found.off for found in (*verdict.nodes.values(), *verdict.outputs.values()))
    return Outcome(case.operator, STEP if off else EQUAL)


def _is_about_the_batch(error: ModelError) -> bool:
    """Whether a case would be read if its first axis were one of a sample."""
    said = [str(error), *(entry.rule for entry in error.obstacles)]
    return any(words in text for words in BATCH_WORDS for text in said)


def _told(error: ModelError) -> str:
    """A refusal of the file as a whole, without the file's name."""
    rule = error.rule if isinstance(error, UnsupportedError) else ""
    return rule or error.message.split(": ", 1)[-1]


def _runs(case: Case) -> bool:
    """Whether onnxruntime has the operator for these types at all."""
    copy = onnx.ModelProto()
    copy.CopyFrom(case.model)
    try:
        session(copy)
    except Exception:  # noqa: BLE001 -- onnxruntime's refusals are of many kinds
        return False
    return True


def _assert_simulated(model: Model, path: Path, inputs: dict[str, np.ndarray]) -> None:
    first = {name: array[:1] for name, array in inputs.items()}
    found, expected = simulate(Archive.open(path), first).quantized, run_graph(model.graph, first)
    for name, array in expected.items():
        problem = differing(array, found[name])
        assert not problem, f"{model.name}: {name}: reference and .lm: {problem}"


def page(outcomes: Iterable[Outcome]) -> str:
    """The committed table."""
    found = list(outcomes)
    lines = [
        "# onnx's node tests",
        "",
        f"The cases of onnx {onnx.__version__} for the operators of the MLA, wrapped in QuantizeLinear and",
        f"DequantizeLinear, and its cases on bytes, against onnxruntime {onnxruntime.__version__} on the same file.",
        "Written by `python -m tests.onnx_nodes.run`; a test writes it again and compares. *One step*: by the list in",
        "[docs/operators.md](../../docs/operators.md). *Behind a batch*: the case works along its first axis, which is",
        "the batch here; with a batch in front of it, it is equal. *Not run*: onnxruntime refuses the file.",
        "",
        "| operator | cases | equal | one step | behind a batch | refused | not run | rules that refuse |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    operators = sorted({one.operator for one in found})
    lines += [_row(f"`{name}`", [one for one in found if one.operator == name]) for name in operators]
    lines.append(_row("all", found, reasons=False))
    return "\n".join(lines) + "\n"


def _row(label: str, found: list[Outcome], *, reasons: bool = True) -> str:
    counts = Counter(one.verdict for one in found)
    rules = Counter(rule for one in found for rule in one.reasons)
    told = "<br>".join(f"{rule} ({count})" for rule, count in sorted(rules.items())) if reasons else ""
    cells = [counts[verdict] for verdict in (EQUAL, STEP, BEHIND, REFUSED, NOT_RUN)]
    return f"| {label} | {len(found)} | {' | '.join(map(str, cells))} | {told} |"


def outcomes() -> list[Outcome]:
    """All cases, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        return [outcome(case, Path(folder)) for case in cases()]


if __name__ == "__main__":
    PAGE.write_text(page(outcomes()), encoding="utf-8")
