"""A network that ends earlier, at tensors that the person names.

Before: ``Conv -> Q -> DQ -> Exp -> boxes``. After, cut at the Conv's result: ``Conv -> Q -> DQ`` under the name of that
result. In: a model, float or quantized, and names of values. Out: a copy with these outputs. Always: what no output
needs is gone; a value that is quantized right behind ends behind its DequantizeLinear, for those are the bytes.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import onnx

from sima_compiler.errors import OptionError
from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.work import inferred_shapes


def with_cuts(model: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    """The copy that ends at ``tensors``, in this order; ``model`` itself without any.

    Raises:
        OptionError: no node makes a tensor of that name.
    """
    if not tensors:
        return model
    produced = {name for node in model.graph.node for name in node.output if name}
    for name in tensors:
        if name not in produced:
            near = difflib.get_close_matches(name, sorted(produced), 3)
            hint = (
                f"did you mean {' or '.join(map(repr, near))}?" if near else "simac export writes a file to look into"
            )
            raise OptionError(f"cut at {name!r}: no node of the model makes a tensor of that name", hint=hint)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    shapes = inferred_shapes(model)
    known = {entry.name: entry for entry in (*model.graph.value_info, *model.graph.output)}
    del result.graph.output[:]
    names = Names.of(model)
    for name in dict.fromkeys(tensors):
        _end_behind_quantization(result, name, names)
        result.graph.output.append(known.get(name) or _declared(name, shapes.get(name)))
    _drop_unneeded(result.graph)
    return result


def _end_behind_quantization(model: onnx.ModelProto, name: str, names: Names) -> None:
    """Gives ``name`` to what the pair behind the value makes of it."""
    quantizer = next((n for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] == name), None)
    if quantizer is None:
        return
    behind = quantizer.output[0]
    pair = next((n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0] == behind), None)
    if pair is not None:
        called = {name: names.fresh(f"{name}_unquantized"), pair.output[0]: name}
        for node in model.graph.node:
            for values in (node.input, node.output):
                for place, value in enumerate(values):
                    values[place] = called.get(value, value)


def _declared(name: str, shape: tuple[int | None, ...] | None) -> onnx.ValueInfoProto:
    sizes = None if shape is None else [size or f"{name}_{place}" for place, size in enumerate(shape)]
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sizes)


def _drop_unneeded(graph: onnx.GraphProto) -> None:
    places = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    waiting, reached = [entry.name for entry in graph.output], set[int]()
    while waiting:
        place = places.get(waiting.pop())
        if place is not None and place not in reached:
            reached.add(place)
            waiting += list(graph.node[place].input)
    holder = onnx.GraphProto()
    holder.node.extend(graph.node[place] for place in sorted(reached))
    del graph.node[:]
    graph.node.extend(holder.node)
