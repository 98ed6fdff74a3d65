"""What becomes of a file that `quantize_static` wrote with an option: exact, or refused by a rule; and the table of it.

``python -m tests.quantize_static.run`` writes docs/quantize-static.md.
"""

from __future__ import annotations

import copy
import io
import re
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.quantization import QuantFormat, quantize_static

from sima_compiler import ModelError, UnsupportedError
from tests.quantize_static.networks import NETWORKS, network
from tests.quantize_static.options import OPTIONS, Option
from tests.support.judges import assert_judges_agree
from tests.support.on_mla import on_mla
from tests.support.oracle import SampleReader, quiet_onnxruntime
from tests.support.qdq_writer import random_inputs

PAGE = Path(__file__).parents[2] / "docs" / "quantize-static.md"
FORMS = {"QDQ": QuantFormat.QDQ, "QOperator": QuantFormat.QOperator}


HEAD = (
    f"Every documented option of onnxruntime {onnxruntime.__version__}, in both forms, on {len(NETWORKS)} networks:",
    "compiled, simulated and compared with the original file in onnxruntime, every element; or refused by a rule,",
    "with the next step. Written by `python -m tests.quantize_static.run`; a test holds a part of it to this page.",
)
VERDICTS = ("exact", "refused", "not written")


@dataclass(frozen=True, slots=True)
class Outcome:
    """``verdict``: "exact", "refused" or "not written" (by onnxruntime); ``reasons``: rules and hints of a refusal."""

    verdict: str
    reasons: tuple[str, ...] = ()


def outcome(option: Option, form: str, name: str, folder: Path) -> Outcome:
    """Quantize, read, compile for two samples, compare every element with the original.

    Raises:
        AssertionError: an element differs.
    """
    try:
        path = written(option, form, name, folder)
    except Exception as error:  # noqa: BLE001 -- onnxruntime's own refusals are of many kinds
        return Outcome("not written", (_first_line(error),))
    try:
        model = on_mla(path)  # the table is about the MLA; host layers take some of what it refuses
    except (ModelError, UnsupportedError) as error:
        return Outcome("refused", _reasons(error))
    assert_judges_agree(path, folder, batch=2, compress=True, machine="tiny", model=model)
    return Outcome("exact")


def written(option: Option, form: str, name: str, folder: Path) -> Path:
    """The file of onnxruntime."""
    model = network(name, option.opset)
    samples = [random_inputs(model, 1, np.random.default_rng(seed)) for seed in range(3)]
    target = folder / f"{name}.onnx"
    arguments = copy.deepcopy(dict(option.arguments))
    with quiet_onnxruntime(), redirect_stdout(io.StringIO()):
        quantize_static(
            model, target, SampleReader(samples), quant_format=FORMS[form],
            extra_options={key: list(value) if isinstance(value, tuple) else copy.deepcopy(value)
                           for key, value in option.extra.items()},
            **arguments,
        )  # fmt: skip
    return target


def _reasons(error: ModelError) -> tuple[str, ...]:
    """Each rule once, with what to do about it."""
    return tuple(sorted({f"{entry.rule or entry.message}: {_command(entry.hint)}" for entry in error.obstacles}))


def _command(hint: str) -> str:
    """The hint without the names of one file."""
    return re.sub(r"extract_model\(.*\)", "extract_model(...)", hint)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]


def page(outcomes: dict[tuple[str, str], list[Outcome]]) -> str:
    """The committed table."""
    total = Counter(entry.verdict for entries in outcomes.values() for entry in entries)
    refused = [entry for entries in outcomes.values() for entry in entries if entry.verdict == "refused"]
    reasons = Counter(reason for entry in refused for reason in entry.reasons)
    lines = [
        "# Files that onnxruntime's `quantize_static` writes",
        "",
        *HEAD,
        "",
        f"{total['exact']} exact, {total['refused']} refused, {total['not written']} that onnxruntime does not write.",
        "",
        "| Option | QDQ | QOperator |",
        "|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {option.label} | {' | '.join(cell(outcomes[option.label, form]) for form in FORMS)} |" for option in OPTIONS
    ]
    lines += ["", "## Why files are refused", "", "| Files | Rule and what to do |", "|---|---|"]
    lines += [f"| {count} | {text.replace('|', '/')} |" for text, count in sorted(reasons.items())]
    return "\n".join([*lines, ""])


def cell(entries: Iterable[Outcome]) -> str:
    """``3 exact, 1 refused``."""
    counts = Counter(entry.verdict for entry in entries)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])


def evaluate(options: Iterable[Option] = OPTIONS) -> dict[tuple[str, str], list[Outcome]]:
    """Outcomes by option and form, one per network."""
    found: dict[tuple[str, str], list[Outcome]] = {}
    for option in options:
        for form in FORMS:
            for name in NETWORKS:
                with tempfile.TemporaryDirectory() as folder:
                    result = outcome(option, form, name, Path(folder))
                found.setdefault((option.label, form), []).append(result)
    return found


if __name__ == "__main__":
    PAGE.write_text(page(evaluate()), "utf-8")
