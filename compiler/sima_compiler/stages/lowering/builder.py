"""The network under construction: layers in execution order, their maps, and where every tensor lies.

In: a `Graph` and, one by one, its steps. Out: `Draft` layers and feature maps. Always holds: a draft reads maps that
earlier drafts (or the inputs) write; every tensor met so far has a `View` on one map. Everything here lives within one
call of `legalize`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import count

from sima_compiler.errors import InternalError
from sima_compiler.ir.graph import Graph, Tensor
from sima_compiler.ir.layers import FeatureMap, Kernel
from sima_compiler.stages.lowering.byte_functions import Step, operator_part
from sima_compiler.stages.lowering.feature_maps import Geometry, input_map, map_of_view, new_map, renamed, view_of_map
from sima_compiler.stages.lowering.views import View, is_whole, same_order


@dataclass(frozen=True, slots=True)
class Draft:
    """One layer before its final name; ``parts`` are the pieces of that name in order."""

    operator: str
    kernel: Kernel
    inputs: tuple[str, ...]
    output: str
    parts: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(slots=True)
class Builder:
    """Collects drafts; ``uses`` counts the readers of each tensor, the graph's outputs among them."""

    graph: Graph
    lanes: int
    uses: Counter[str]
    drafts: list[Draft] = field(default_factory=list[Draft])
    maps: dict[str, FeatureMap] = field(default_factory=dict[str, FeatureMap])
    views: dict[str, View] = field(default_factory=dict[str, View])
    linear: dict[str, str] = field(default_factory=dict[str, str])
    given: set[str] = field(default_factory=set[str])

    @staticmethod
    def start(graph: Graph, steps: tuple[Step, ...], lanes: int) -> Builder:
        """A network that holds its inputs only."""
        uses = Counter([name for step in steps for name in step.inputs] + list(graph.outputs))
        builder = Builder(graph, lanes, uses)
        for name in graph.inputs:
            builder.maps[name] = input_map(graph, name, lanes)
            builder.views[name] = view_of_map(builder.maps[name])
        return builder

    def tensor(self, name: str) -> Tensor:
        """The graph's tensor of that name."""
        return self.graph.tensors[name]

    def view(self, name: str) -> View:
        """Where the tensor lies."""
        if name not in self.views:
            raise InternalError(f"legalize: {name} is read before anything produces it")
        return self.views[name]

    def sizes(self, name: str) -> Geometry:
        """(rows, columns, channels) of a map."""
        found = self.maps[name]
        return found.rows, found.columns, found.channels

    def whole(self, name: str) -> bool:
        """Whether the tensor is all of its map, byte for byte."""
        view = self.view(name)
        return is_whole(view, self.maps[view.source].elements)

    def add(self, draft: Draft, result: FeatureMap) -> None:
        """Append a layer that produces ``result``."""
        self.drafts.append(draft)
        self.maps[result.name] = result

    def produce(self, step: Step, draft: Draft, result: FeatureMap) -> None:
        """Append a layer whose map is the step's output in the map's own order."""
        self.add(self._with_pending(step, draft), result)
        self.views[step.output] = view_of_map(result)

    def produce_like(self, step: Step, draft: Draft, view: View, sizes: Geometry) -> None:
        """Append a layer whose map has ``sizes`` and holds the step's output where ``view`` says."""
        tensor = self.tensor(step.output)
        self.add(self._with_pending(step, draft), map_of_view(tensor, view, sizes))
        self.views[step.output] = replace(view, source=tensor.name, base="", parts=(), sources=())

    def rewrite(self, index: int, kernel: Kernel, step: Step, extra: tuple[str, ...] = ()) -> None:
        """Let layer ``index`` do the step as well: another kernel, more operands, the step's output as its map.

        Checks that the caller made: the layer's old result has no reader but this step.
        """
        draft, tensor = self.drafts[index], self.tensor(step.output)
        old = self.maps.pop(draft.output)
        view = next(self.views[name] for name in step.inputs if self.views[name].source == draft.output)
        self.maps[tensor.name] = renamed(old, tensor, view)
        self.views[tensor.name] = replace(view, source=tensor.name, base="", parts=(), sources=())
        self.drafts[index] = replace(
            draft,
            kernel=kernel,
            inputs=draft.inputs + extra,
            output=tensor.name,
            parts=draft.parts + (step.parts or (operator_part(step.node.op), *step.node.fused)),
            sources=draft.sources + view.sources + step.sources,
        )

    def alias(self, step: Step, view: View) -> None:
        """The step's output is another view of a map that exists."""
        parts = step.parts or (operator_part(step.node.op),)
        self.views[step.output] = replace(
            view, base=step.inputs[0], parts=view.parts + parts, sources=view.sources + step.sources
        )

    def _with_pending(self, step: Step, draft: Draft) -> Draft:
        """The layer also stands for the nodes whose views it reads."""
        pending = tuple(source for name in step.inputs for source in self.views[name].sources)
        return replace(draft, sources=pending + draft.sources)

    def exclusive(self, name: str) -> bool:
        """Whether nothing but one more reader will ever ask for the map that the tensor lies on."""
        while name:
            if self.uses[name] != 1:
                return False
            name = self.views[name].base
        return True

    def producer(self, map_name: str) -> int | None:
        """Position of the layer that writes a map, None for an input; most maps are young, so the search runs back."""
        positions = reversed(range(len(self.drafts)))
        return next((index for index in positions if self.drafts[index].output == map_name), None)

    def fresh(self, name: str) -> str:
        """``name``, or with a number behind it when a map or tensor has it already, or it was given away before."""
        candidates = (name if number == 0 else f"{name}{number}" for number in count())
        taken = (self.maps, self.graph.tensors, self.given)
        found = next(name for name in candidates if not any(name in names for names in taken))
        self.given.add(found)
        return found


def canonical(builder: Builder, name: str) -> bool:
    """Whether the tensor fills its map in the geometry that the rule gives its shape."""
    view = builder.view(name)
    rule = new_map(builder.tensor(name))
    same = builder.sizes(view.source) == (rule.rows, rule.columns, rule.channels)
    return same and same_order(view, view_of_map(rule)) and builder.whole(name)
