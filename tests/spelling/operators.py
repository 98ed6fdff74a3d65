"""Rewrites of operators into others that compute the same."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from tests.spelling.sheet import Rewrite, Sheet, attribute, set_attribute


def relu_as_clip(sheet: Sheet) -> None:
    zero = sheet.constant(np.float32(0))
    for node in sheet.some(sheet.nodes("Relu")):
        node.op_type = "Clip"
        node.input.append(zero)


def relu_as_maximum(sheet: Sheet) -> None:
    """Behind products only: with a Max behind it, onnxruntime computes an Add in reals, which rounds differently."""
    zero = sheet.constant(np.float32(0))
    for node in sheet.some(sheet.nodes("Relu")):
        if _follows_product(sheet, node):
            node.op_type = "Max"
            node.input.append(zero)


def clip_as_minimum_of_maximum(sheet: Sheet) -> None:
    for node in sheet.nodes("Clip"):
        if len(node.input) == 3 and all(node.input) and _follows_product(sheet, node):
            inner = sheet.fresh()
            first = sheet.node("Max", list(node.input[:2]), [inner])
            sheet.replace(node, first, sheet.node("Min", [inner, node.input[2]], node.output))


def clip_in_two(sheet: Sheet) -> None:
    """Lower and upper bound each in a Clip of its own."""
    for node in sheet.nodes("Clip"):
        if len(node.input) == 3 and all(node.input):
            inner = sheet.fresh()
            first = sheet.node("Clip", list(node.input[:2]), [inner])
            sheet.replace(node, first, sheet.node("Clip", [inner, "", node.input[2]], node.output))


def flatten_as_reshape(sheet: Sheet) -> None:
    for node in sheet.nodes("Flatten"):
        if attribute(node, "axis", 1) == 1:
            target = sheet.constant(np.array([0, -1], np.int64))
            sheet.replace(node, sheet.node("Reshape", [node.input[0], target], node.output))


def reshape_as_flatten(sheet: Sheet) -> None:
    for node in sheet.nodes("Reshape"):
        target = sheet.array(node.input[1])
        if target is not None and target.tolist() == [0, -1]:
            sheet.replace(node, sheet.node("Flatten", [node.input[0]], node.output))


def squeeze_as_reshape(sheet: Sheet) -> None:
    """After a global pool two axes of one go: 0 keeps the batch, -1 takes the rest."""
    for node in sheet.nodes("Squeeze"):
        axes = sheet.array(node.input[1]) if len(node.input) > 1 else None
        if axes is not None and sorted(axes.tolist()) == [2, 3]:
            target = sheet.constant(np.array([0, -1], np.int64))
            sheet.replace(node, sheet.node("Reshape", [node.input[0], target], node.output))


def squeeze_as_flatten(sheet: Sheet) -> None:
    for node in sheet.nodes("Squeeze"):
        axes = sheet.array(node.input[1]) if len(node.input) > 1 else None
        if axes is not None and sorted(axes.tolist()) == [2, 3]:
            sheet.replace(node, sheet.node("Flatten", [node.input[0]], node.output))


def axes_negative(sheet: Sheet) -> None:
    """Axis 1 of four counted from the end, in Concat, Split and Squeeze."""
    ranks = _ranks(sheet)
    for node in sheet.nodes("Concat", "Split"):
        axis, rank = attribute(node, "axis", 0), ranks.get(node.input[0], 0)
        if rank and axis >= 0:
            set_attribute(node, "axis", axis - rank)
    for node in sheet.nodes("Squeeze"):
        axes, rank = sheet.array(node.input[1]) if len(node.input) > 1 else None, ranks.get(node.input[0], 0)
        if axes is not None and rank:
            node.input[1] = sheet.constant(axes - np.int64(rank) * (axes >= 0))


def defaults_stated(sheet: Sheet) -> None:
    """Attributes that say what is so without them."""
    for node in sheet.nodes("Conv", "MaxPool", "AveragePool", "Gemm", "Concat"):
        given = {item.name for item in node.attribute}
        stated: dict[str, object] = {}
        if node.op_type == "Conv":
            stated = {"dilations": [1, 1], "group": 1, "strides": [1, 1], "auto_pad": "NOTSET"}
        elif node.op_type in ("MaxPool", "AveragePool"):
            stated = {"strides": [1, 1], "ceil_mode": 0}
        elif node.op_type == "Gemm":
            stated = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}
        for name, value in stated.items():
            if name not in given:
                set_attribute(node, name, value)


def defaults_left_out(sheet: Sheet) -> None:
    for node in sheet.nodes("Conv", "MaxPool", "AveragePool"):
        for name, default in (("dilations", [1, 1]), ("strides", [1, 1]), ("group", 1), ("pads", [0, 0, 0, 0])):
            if attribute(node, name) == default:
                set_attribute(node, name, None)
        if node.op_type == "Conv":
            set_attribute(node, "kernel_shape", None)


def pads_by_rule(sheet: Sheet) -> None:
    """Even pads that keep the size as SAME_UPPER, none at all as VALID."""
    for node in sheet.nodes("Conv", "MaxPool"):
        kernel, strides = attribute(node, "kernel_shape"), attribute(node, "strides", [1, 1])
        pads, dilations = attribute(node, "pads", [0, 0, 0, 0]), attribute(node, "dilations", [1, 1])
        if kernel is None or attribute(node, "auto_pad", b"NOTSET") != b"NOTSET":
            continue
        wide = [(size - 1) * step for size, step in zip(kernel, dilations, strict=True)]
        if not any(pads):
            rule = "VALID"
        elif strides == [1, 1] and all(width % 2 == 0 for width in wide) and pads == [width // 2 for width in wide] * 2:
            rule = "SAME_UPPER"
        else:
            continue
        set_attribute(node, "pads", None)
        set_attribute(node, "auto_pad", rule)


def global_pool_as_a_whole_window(sheet: Sheet) -> None:
    """GlobalAveragePool as an AveragePool over its map. As a ReduceMean it would be other sums: of float32."""
    shapes = _shapes(sheet)
    for node in sheet.nodes("GlobalAveragePool"):
        if len(shapes.get(node.input[0], ())) == 4:
            node.op_type = "AveragePool"
            set_attribute(node, "kernel_shape", list(shapes[node.input[0]][2:]))


def dense_as_product_and_sum(sheet: Sheet) -> None:
    """Gemm -> MatMul -> Add of the same dequantized bias, which onnxruntime joins again; behind a Conv it does not."""
    for node in sheet.nodes("Gemm"):
        if len(node.input) < 3 or attribute(node, "transB", 0) or attribute(node, "transA", 0):
            continue
        inner = sheet.fresh()
        sheet.replace(
            node,
            sheet.node("MatMul", list(node.input[:2]), [inner]),
            sheet.node("Add", [inner, node.input[2]], node.output),
        )


def dense_with_transposed_weights(sheet: Sheet) -> None:
    for node in sheet.nodes("Gemm"):
        source = sheet.producer(node.input[1])
        values = sheet.array(source.input[0]) if source is not None else None
        if source is None or values is None or len(sheet.readers(node.input[1])) > 1:
            continue
        axis = attribute(source, "axis", 1) % 2
        turned = 1 - attribute(node, "transB", 0)
        source.input[0] = sheet.constant(np.ascontiguousarray(values.T))
        if attribute(source, "axis") is not None:
            set_attribute(source, "axis", 1 - axis)
        set_attribute(node, "transB", turned)


def slice_bounds_other_way(sheet: Sheet) -> None:
    """Starts from the end, ends beyond it, steps of one left out or stated."""
    sizes = _shapes(sheet)
    for node in sheet.nodes("Slice"):
        tables = [sheet.array(name) for name in node.input[1:]]
        shape = sizes.get(node.input[0])
        if len(tables) < 3 or shape is None or any(table is None for table in tables):
            continue
        starts, ends, axes = (np.asarray(table).tolist() for table in tables[:3])
        for place, axis in enumerate(axes):
            size = shape[axis]
            if size and 0 < starts[place] < size:
                starts[place] -= size
            if size and ends[place] >= size:
                ends[place] = 2**31 - 1
        node.input[1] = sheet.constant(np.array(starts, np.int64))
        node.input[2] = sheet.constant(np.array(ends, np.int64))
        if len(tables) == 3:
            node.input.append(sheet.constant(np.ones(len(axes), np.int64)))
        elif (np.asarray(tables[3]) == 1).all():
            del node.input[4:]


def resize_by_sizes(sheet: Sheet) -> None:
    """Whole factors as sizes of rows and columns, which opset 18 can name alone."""
    newer_opset(sheet)
    sizes = _shapes(sheet)
    for node in sheet.nodes("Resize"):
        scales = sheet.array(node.input[2]) if len(node.input) == 3 else None
        shape = sizes.get(node.input[0])
        if scales is None or shape is None or (scales % 1).any():
            continue
        rows = [int(size * scale) for size, scale in zip(shape[2:], scales[2:], strict=True)]
        node.input[2] = ""
        node.input.append(sheet.constant(np.array(rows, np.int64)))
        set_attribute(node, "axes", [2, 3])


def split_by_count(sheet: Sheet) -> None:
    """Equal parts by their number, or without saying anything before opset 18."""
    for node in sheet.nodes("Split"):
        parts = sheet.array(node.input[1]) if len(node.input) > 1 else None
        if parts is not None and len(set(parts.tolist())) == 1:
            del node.input[1:]
            if sheet.opset >= 18:
                set_attribute(node, "num_outputs", len(node.output))


def concat_in_steps(sheet: Sheet) -> None:
    """Three parts joined two by two, in reals."""
    for node in sheet.nodes("Concat"):
        if len(node.input) == 3:
            inner, axis = sheet.fresh(), attribute(node, "axis")
            first = sheet.node("Concat", list(node.input[:2]), [inner], axis=axis)
            sheet.replace(node, first, sheet.node("Concat", [inner, node.input[2]], node.output, axis=axis))


def transpose_in_two(sheet: Sheet) -> None:
    """A permutation as two, the first of which turns the axes behind the batch by one."""
    for node in sheet.nodes("Transpose"):
        order = attribute(node, "perm")
        if order is None or order[0] != 0 or len(order) < 3 or sheet.array(node.input[0]) is not None:
            continue
        first = [0, *range(2, len(order)), 1]
        second = [first.index(axis) for axis in order]
        inner = sheet.fresh()
        sheet.replace(
            node,
            sheet.node("Transpose", [node.input[0]], [inner], perm=first),
            sheet.node("Transpose", [inner], node.output, perm=second),
        )


def newer_opset(sheet: Sheet) -> None:
    """Opset 21: the same operators; Split wants a number of parts, ReduceMean its axes as an input."""
    for node in sheet.nodes("Split"):
        if len(node.input) < 2 and attribute(node, "num_outputs") is None:
            set_attribute(node, "num_outputs", len(node.output))
    for node in sheet.nodes("ReduceMean"):
        axes = attribute(node, "axes")
        if axes is not None:
            set_attribute(node, "axes", None)
            node.input.append(sheet.constant(np.array(axes, np.int64)))
    for entry in sheet.model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = 21
    sheet.model.ir_version = max(sheet.model.ir_version, 10)


def types_by_attribute(sheet: Sheet) -> None:
    """Opset 21: the type of the bytes by ``output_dtype``, where the zero point is zero."""
    newer_opset(sheet)
    for node in sheet.nodes("QuantizeLinear"):
        zero = sheet.array(node.input[2]) if len(node.input) > 2 else None
        if zero is not None:
            set_attribute(node, "output_dtype", helper.np_dtype_to_tensor_dtype(zero.dtype))
            if not zero.any() and sheet.array(node.input[0]) is None:
                del node.input[2:]


def _only_reader_chain(sheet: Sheet, name: str, operators: tuple[str, ...]) -> list[onnx.NodeProto]:
    found: list[onnx.NodeProto] = []
    for operator in operators:
        readers = sheet.readers(name)
        if len(readers) != 1 or readers[0].op_type != operator or sheet.is_output(name):
            return found
        found.append(readers[0])
        name = readers[0].output[0]
    return found


def _follows_product(sheet: Sheet, node: onnx.NodeProto) -> bool:
    source = sheet.producer(node.input[0])
    return source is not None and source.op_type in ("Conv", "Gemm", "MatMul")


def _shapes(sheet: Sheet) -> dict[str, list[int]]:
    """Sizes by value name, 0 where they are not known."""
    inferred = onnx.shape_inference.infer_shapes(sheet.model)
    entries = (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
    return {
        entry.name: [item.dim_value for item in entry.type.tensor_type.shape.dim]
        for entry in entries
        if entry.type.tensor_type.HasField("shape")
    }


def _ranks(sheet: Sheet) -> dict[str, int]:
    return {name: len(shape) for name, shape in _shapes(sheet).items()}


OPERATORS: list[Rewrite] = [
    relu_as_clip, relu_as_maximum, clip_as_minimum_of_maximum, clip_in_two, flatten_as_reshape, reshape_as_flatten,
    squeeze_as_reshape, squeeze_as_flatten, axes_negative, defaults_stated, defaults_left_out, pads_by_rule,
    global_pool_as_a_whole_window, dense_as_product_and_sum,
    dense_with_transposed_weights, slice_bounds_other_way, resize_by_sizes, split_by_count,
    concat_in_steps, transpose_in_two, newer_opset, types_by_attribute,
]  # fmt: skip
