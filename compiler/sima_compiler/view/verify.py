"""What `simac verify` found, as a person is shown it: a verdict, each comparison with onnxruntime, and the layers.

In: numbers of a comparison. Out: `VerifyReport`, with a text and an HTML form that hold the same facts. Always: the
form of the network that onnxruntime was given stands beside the numbers, with why it matters.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sima_compiler.view import plain, units
from sima_compiler.view.html import plain as markup
from sima_compiler.view.html.markup import Markup

#: Largest difference of float32 that the A65 computes from onnxruntime's, as a share of the output's range: both sum in
#: float32, each in its own order.
HOST_TOLERANCE = 1e-5
#: Layers in the text and HTML forms; the JSON holds all.
TOP_LAYERS = 12


class Form(StrEnum):
    """What onnxruntime ran."""

    ORIGINAL = "original"
    UINT8 = "uint8"
    FLOAT = "float"


#: What each form is, and what to expect of it.
EXPLANATIONS = {
    Form.ORIGINAL: "your file as it is, in onnxruntime with its optimizations",
    Form.UINT8: "the same network with uint8 activations (zero points + 128), which onnxruntime computes with integers "
    "throughout; simac export --uint8 writes it",
    Form.FLOAT: "your float file: what quantizing to 8 bits changed",
}
INT8_SENTENCE = (
    "Activations are int8 in your file. On x86 onnxruntime leaves most int8 convolutions in float, so that ties round "
    "another way; a few steps of difference there are onnxruntime's own. The uint8 form is the exact reference."
)


LISTED_SENTENCE = (
    "Nodes that onnxruntime computes in float32, summing in an order of its host (docs/operators.md lists them), each "
    "given onnxruntime's own input; every other node is exact"
)


@dataclass(frozen=True, slots=True)
class OutputComparison:
    """One output against one form. ``differing`` of ``elements`` values differ, by up to ``largest_steps`` quantization
    steps; ``snr_db`` is the signal-to-noise ratio in decibels, None where nothing differs.

    Reals that the A65 computes have no steps: they count as differing beyond `HOST_TOLERANCE` of the output's range,
    and ``largest_share`` is the largest difference as a share of it. None of what the MLA computes.
    """

    name: str
    elements: int
    differing: int
    largest_steps: float
    snr_db: float | None
    largest_share: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``--json``."""
        return {
            "name": self.name,
            "elements": self.elements,
            "differing": self.differing,
            "largest_steps": self.largest_steps,
            "snr_db": self.snr_db,
            "largest_share": self.largest_share,
        }


@dataclass(frozen=True, slots=True)
class FormComparison:
    """Every output against one form; ``problem`` says why onnxruntime could not run it, else it is empty."""

    form: Form
    outputs: tuple[OutputComparison, ...]
    problem: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether it ran and no element differs."""
        return not self.problem and bool(self.outputs) and not any(output.differing for output in self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``--json``."""
        return {
            "form": str(self.form),
            "explanation": EXPLANATIONS[self.form],
            "exact": self.is_exact,
            "problem": self.problem,
            "outputs": [output.to_dict() for output in self.outputs],
        }


@dataclass(frozen=True, slots=True)
class ListedComparison:
    """One node that onnxruntime computes in float32 in an order that cannot be met, given onnxruntime's own input.

    ``share``: the largest part of its ``elements`` that may lie one step off.
    """

    node: str
    operator: str
    reason: str
    elements: int
    differing: int
    largest_steps: int
    share: float

    @property
    def is_allowed(self) -> bool:
        """One step at most, in no larger share than the list says; one tie among few elements tells nothing of it."""
        return self.largest_steps <= 1 and self.differing <= max(1.0, self.share * self.elements)

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``--json``."""
        return {
            "node": self.node,
            "operator": self.operator,
            "reason": self.reason,
            "elements": self.elements,
            "differing": self.differing,
            "largest_steps": self.largest_steps,
            "share": self.share,
        }


@dataclass(frozen=True, slots=True)
class LayerComparison:
    """One node against its value without rounding. ``saturated`` is the share of its values that its range cuts off."""

    node: str
    operator: str
    tensor: str
    snr_db: float | None
    saturated: float

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``--json``."""
        return {
            "node": self.node,
            "operator": self.operator,
            "tensor": self.tensor,
            "snr_db": self.snr_db,
            "saturated": self.saturated,
        }


@dataclass(frozen=True, slots=True, repr=False)
class VerifyReport:
    """A simulated archive beside onnxruntime.

    ``exact``: every element equals the exact reference, which is the file itself, or for int8 activations its uint8
    form. ``listed``: where that is not so, the nodes that onnxruntime computes in float32 in an order of its own, if
    nothing but they differs. ``layers`` is empty unless asked for; the worst come first.
    """

    path: str
    exact: bool
    verdict: str
    samples: int
    actual_batch_size: int
    int8_activations: bool
    forms: tuple[FormComparison, ...]
    listed: tuple[ListedComparison, ...] = ()
    layers: tuple[LayerComparison, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether it is exact, or differs by what the list allows alone."""
        return self.exact or bool(self.listed)

    def to_dict(self) -> dict[str, Any]:
        """The keys that ``simac verify --json`` prints."""
        return {
            "path": self.path,
            "exact": self.exact,
            "agrees": self.agrees,
            "verdict": self.verdict,
            "samples": self.samples,
            "actual_batch_size": self.actual_batch_size,
            "int8_activations": self.int8_activations,
            "forms": [form.to_dict() for form in self.forms],
            "listed": [node.to_dict() for node in self.listed],
            "layers": [layer.to_dict() for layer in self.layers],
            "warnings": list(self.warnings),
        }

    def __repr__(self) -> str:
        return verify_text(self)

    def _repr_html_(self) -> str:
        return verify_markup(self)


_LISTED_COLUMNS = ("node", "operator", "elements", "one step off", "may be")
_COLUMNS = ("output", "elements", "differing", "largest difference", "signal to noise")
_LAYER_COLUMNS = ("layer", "operator", "signal to noise", "saturated")


def verify_text(report: VerifyReport) -> str:
    """The report for a terminal."""
    parts = [plain.pairs(_facts(report))]
    for form in report.forms:
        body = form.problem or plain.table(_COLUMNS, _rows(form), right=(1, 2, 3, 4))
        title = "\n".join(textwrap.wrap(f"{form.form}: {EXPLANATIONS[form.form]}", plain.LONGEST_LINE))
        parts.append(f"{title}\n{body}")
    if report.listed:
        head = "\n".join(textwrap.wrap(LISTED_SENTENCE, plain.LONGEST_LINE))
        parts.append(f"{head}\n{plain.table(_LISTED_COLUMNS, _listed_rows(report), right=(2, 3, 4))}")
    for title, layers in _rankings(report):
        parts.append(f"{title}\n{plain.table(_LAYER_COLUMNS, [_layer_row(layer) for layer in layers], right=(2, 3))}")
    return "\n\n".join(parts)


def verify_markup(report: VerifyReport) -> str:
    """The report as HTML that needs no script."""
    tables = [_form_markup(form) for form in report.forms]
    if report.listed:
        tables.append(markup.table(LISTED_SENTENCE, _LISTED_COLUMNS, _listed_rows(report), right=(2, 3, 4)))
    tables += [
        markup.table(title, _LAYER_COLUMNS, [_layer_row(layer) for layer in layers], right=(2, 3))
        for title, layers in _rankings(report)
    ]
    return markup.report("verify", markup.pairs("Verify", _facts(report)), *tables)


def _form_markup(form: FormComparison) -> Markup:
    caption = f"{form.form}: {EXPLANATIONS[form.form]}"
    if form.problem:
        return markup.pairs(caption, [("problem", form.problem)])
    return markup.table(caption, _COLUMNS, _rows(form), right=(1, 2, 3, 4))


def verdict_of(forms: tuple[FormComparison, ...], *, int8: bool, listed: tuple[ListedComparison, ...] = ()) -> str:
    """The verdict in one line."""
    exact = next((form for form in forms if form.is_exact and form.form is not Form.FLOAT), None)
    if exact and exact.form is Form.ORIGINAL:
        return f"exact: every element equals onnxruntime on your file{_of_hosts(exact)}"
    original = next((form for form in forms if form.form is Form.ORIGINAL), None)
    if exact and int8 and original and not original.problem:
        differing = sum(output.differing for output in original.outputs)
        return (
            f"exact against the uint8 form of your file; {units.count(differing)} elements differ from onnxruntime on "
            "your int8 file as it is, where most convolutions run in float"
        )
    if exact:
        return f"exact: every element equals onnxruntime on the uint8 form of the quantized network{_of_hosts(exact)}"
    differing = sum(output.differing for form in forms[-1:] for output in form.outputs)
    if not any(form.outputs for form in forms):
        return "not compared: onnxruntime runs no form of this network"
    if listed:
        nodes = "1 node" if len(listed) == 1 else f"{units.count(len(listed))} nodes"
        return (
            f"exact but for {nodes} that onnxruntime computes in float32, in an order of its own: given its input, one "
            f"step off at most; {units.count(differing)} elements of the outputs differ for it"
        )
    return f"differs: {units.count(differing)} elements are not what onnxruntime computes"


def _of_hosts(form: FormComparison) -> str:
    """What "equal" means for reals of the A65."""
    shares = [output.largest_share for output in form.outputs if output.largest_share is not None]
    if not any(shares):
        return ""
    return f"; what the A65 computes in float32 lies within {max(shares):.2g} of its range ({HOST_TOLERANCE:g} allowed)"


def decibels(value: float | None) -> str:
    """A signal-to-noise ratio: ``38.2 dB``, or that nothing differs."""
    return "nothing differs" if value is None else f"{value:.1f} dB"


def _facts(report: VerifyReport) -> list[tuple[str, str]]:
    return [
        ("model", report.path),
        *plain.paragraph("verdict", report.verdict),
        ("samples", f"{report.samples}, simulated in batches of {report.actual_batch_size}"),
        *(plain.paragraph("int8", INT8_SENTENCE) if report.int8_activations else []),
        *(("warning", warning) for warning in report.warnings),
    ]


def _listed_rows(report: VerifyReport) -> list[tuple[str, ...]]:
    return [
        (
            plain.shortened(node.node),
            node.operator,
            units.count(node.elements),
            units.count(node.differing),
            units.count(max(1, int(node.share * node.elements))),
        )
        for node in report.listed
    ]


def _rows(form: FormComparison) -> list[tuple[str, ...]]:
    return [
        (
            output.name,
            units.count(output.elements),
            units.count(output.differing),
            _largest(output),
            decibels(output.snr_db),
        )
        for output in form.outputs
    ]


def _largest(output: OutputComparison) -> str:
    if output.largest_share is None:
        return f"{output.largest_steps:.3g} steps"
    return f"{output.largest_share:.2g} of the range"


def _rankings(report: VerifyReport) -> list[tuple[str, list[LayerComparison]]]:
    """The layers with the largest error, and those that saturate most."""
    if not report.layers:
        return []
    total = units.count(len(report.layers))
    by_error = [layer for layer in report.layers if layer.snr_db is not None][:TOP_LAYERS]
    saturated = sorted((layer for layer in report.layers if layer.saturated), key=lambda layer: -layer.saturated)
    rankings = [(f"Layers by error: the worst {len(by_error)} of {total}", by_error)]
    if saturated:
        title = f"Layers by saturation: {len(saturated)} of {total} cut values off"
        rankings.append((title, saturated[:TOP_LAYERS]))
    return rankings


def _layer_row(layer: LayerComparison) -> tuple[str, ...]:
    return (plain.shortened(layer.node), layer.operator, decibels(layer.snr_db), units.percent(layer.saturated))
