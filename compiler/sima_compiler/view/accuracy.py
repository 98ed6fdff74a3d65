"""The error of every layer, as a person is shown it: in order of execution, the largest marked.

In: errors by node. Out: `LayerErrors`, with a text and an HTML form that hold the same facts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sima_compiler.view import plain, units
from sima_compiler.view.html import plain as markup
from sima_compiler.view.html.markup import Markup


@dataclass(frozen=True, slots=True)
class LayerError:
    """One node. ``error`` is what the caller's metric gave, averaged over the samples."""

    node: str
    operator: str
    tensor: str
    error: float


@dataclass(frozen=True, slots=True, repr=False)
class LayerErrors:
    """Every node of a network in order of execution. Iterates over its layers; ``local_feed`` is the caller's."""

    name: str
    local_feed: bool
    samples: int
    layers: tuple[LayerError, ...]

    def __iter__(self) -> Iterator[LayerError]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def worst(self, count: int = 1) -> tuple[LayerError, ...]:
        """The layers with the largest error, the largest first."""
        return tuple(sorted(self.layers, key=lambda layer: -layer.error)[:count])

    def by_node(self) -> dict[str, float]:
        """Error by the name of the ONNX node; of several layers of one node, the last one's."""
        return {layer.node: layer.error for layer in self.layers}

    def to_dict(self) -> dict[str, Any]:
        """Plain values: name, local_feed, samples, layers [{node, operator, tensor, error}]."""
        return asdict(self)

    def __repr__(self) -> str:
        return f"{plain.pairs(_facts(self))}\n\n{plain.table(_COLUMNS, _rows(self), right=(2,))}"

    def _repr_html_(self) -> Markup:
        table = markup.table("Error of each layer", _COLUMNS, _rows(self), right=(2,))
        return markup.report("accuracy", markup.pairs("Quantization error", _facts(self)), table)


_COLUMNS = ("layer", "operator", "error", "share of the largest")
_BAR = 20


def _facts(found: LayerErrors) -> list[tuple[str, str]]:
    fed = "what the network without rounding gave" if found.local_feed else "what the quantized network gave"
    worst = found.worst()
    return [
        ("model", found.name),
        ("samples", units.count(found.samples)),
        ("layers read", fed),
        ("largest", f"{worst[0].error:.4g} at {plain.shortened(worst[0].node)}" if worst else ""),
    ]


def _rows(found: LayerErrors) -> list[tuple[str, ...]]:
    largest = max((layer.error for layer in found), default=0.0)
    return [
        (
            plain.shortened(layer.node),
            layer.operator,
            f"{layer.error:.4g}",
            "█" * round(_BAR * layer.error / largest) if largest > 0 else "",
        )
        for layer in found
    ]
