"""Rewrites of how a file writes its constants."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.spelling.sheet import BYTE_TYPES, Rewrite, Sheet, set_attribute


def zero_point_through_cast(sheet: Sheet) -> None:
    for name in sheet.some(sheet.zero_points()):
        array = sheet.array(name)
        if array is not None and array.dtype in BYTE_TYPES:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            sheet.made_by(name, ("Cast", {"to": kind}, []), source=array.astype(np.int32))


def zero_point_through_identity(sheet: Sheet) -> None:
    for name in sheet.some(sheet.zero_points()):
        sheet.made_by(name, ("Identity", {}, []), ("Identity", {}, []), source=sheet.array(name))


def zero_point_through_arithmetic(sheet: Sheet) -> None:
    """A byte as the sum of two numbers, rounded and clipped on the way."""
    for name in sheet.some(sheet.zero_points()):
        array = sheet.array(name)
        if array is None or array.dtype not in BYTE_TYPES:
            continue
        kind, half = helper.np_dtype_to_tensor_dtype(array.dtype), np.float32(array) / 2
        rest = sheet.constant((np.float32(array) - half).astype(np.float32))
        low, high = (sheet.constant(np.float32(value)) for value in (-128, 255))
        sheet.made_by(
            name, ("Add", {}, [rest]), ("Clip", {}, [low, high]), ("Cast", {"to": kind}, []),
            source=half.astype(np.float32),
        )  # fmt: skip


def scale_by_arithmetic(sheet: Sheet) -> None:
    """A quarter of the scale, times four: exact in float32."""
    four = sheet.constant(np.float32(4))
    for name in sheet.some(sheet.scales()):
        array = sheet.array(name)
        if array is not None:
            sheet.made_by(name, ("Mul", {}, [four]), source=array / np.float32(4))


def scale_through_square_root(sheet: Sheet) -> None:
    """An operator that views and casts do not cover: the scale as the root of a number whose root it is exactly."""
    for name in sheet.some(sheet.scales()):
        array = sheet.array(name)
        if array is not None and array.size == 1:
            double = np.float64(array.reshape(-1)[0]) ** 2
            sheet.made_by(
                name, ("Sqrt", {}, []), ("Cast", {"to": TensorProto.FLOAT}, []),
                source=np.full(array.shape, double, np.float64),
            )  # fmt: skip


def scales_of_one_element(sheet: Sheet) -> None:
    """Scalars as tensors of one element, scale and zero point alike."""
    for name in [*sheet.scales(), *sheet.zero_points()]:
        entry, array = sheet.initializers()[name], sheet.array(name)
        if array is not None and array.shape == ():
            entry.CopyFrom(numpy_helper.from_array(array.reshape(1), name))


def scalars_through_squeeze(sheet: Sheet) -> None:
    for name in sheet.some([*sheet.scales(), *sheet.zero_points()]):
        array = sheet.array(name)
        if array is not None and array.shape == ():
            axes = sheet.constant(np.array([0, 1], np.int64))
            sheet.made_by(name, ("Squeeze", {}, [axes]), source=array.reshape(1, 1))


def constants_in_nodes(sheet: Sheet) -> None:
    """Every initializer as a Constant node."""
    made = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(numpy_helper.to_array(entry), "value"))
        for name, entry in sheet.initializers().items()
    ]
    del sheet.graph.initializer[:]
    _in_front(sheet, made)


def scalars_by_attributes(sheet: Sheet) -> None:
    """Real scalars by ``value_float``, int64 lists by ``value_ints``."""
    made: list[onnx.NodeProto] = []
    for name, entry in sheet.initializers().items():
        array = numpy_helper.to_array(entry)
        if array.shape == () and array.dtype == np.float32:
            made.append(helper.make_node("Constant", [], [name], value_float=float(array)))
        elif array.ndim == 1 and array.dtype == np.int64 and array.size:
            made.append(helper.make_node("Constant", [], [name], value_ints=[int(value) for value in array]))
        else:
            continue
        sheet.graph.initializer.remove(entry)
    _in_front(sheet, made)


def constants_among_the_inputs(sheet: Sheet) -> None:
    """As files of IR version 3 repeat them."""
    for name, entry in sheet.initializers().items():
        sheet.graph.input.append(helper.make_tensor_value_info(name, entry.data_type, list(entry.dims)))


def constants_in_typed_fields(sheet: Sheet) -> None:
    """Numbers in ``int32_data`` and ``float_data`` rather than in bytes."""
    for name, entry in sheet.initializers().items():
        array = numpy_helper.to_array(entry)
        entry.CopyFrom(helper.make_tensor(name, entry.data_type, array.shape, array.reshape(-1).tolist()))


def weights_behind_reshape(sheet: Sheet) -> None:
    for _, source, values in sheet.some(sheet.weights()):
        target = sheet.constant(np.array([values.shape[0], -1, *values.shape[2:]], np.int64))
        sheet.made_by(source.input[0], ("Reshape", {}, [target]), source=values.reshape(-1))


def weights_behind_reshape_with_zeros(sheet: Sheet) -> None:
    """0 keeps a size, -1 takes the rest."""
    for _, source, values in sheet.some(sheet.weights()):
        target = sheet.constant(np.array([0, *values.shape[1:-1], -1], np.int64))
        sheet.made_by(source.input[0], ("Reshape", {}, [target]), source=values.reshape(values.shape[0], -1))


def weights_behind_transpose(sheet: Sheet) -> None:
    for _, source, values in sheet.some(sheet.weights()):
        order = [int(axis) for axis in sheet.random.permutation(values.ndim)]
        moved = np.ascontiguousarray(values.transpose(np.argsort(order)))
        sheet.made_by(source.input[0], ("Transpose", {"perm": order}, []), source=moved)


def weights_from_other_integers(sheet: Sheet) -> None:
    for _, source, values in sheet.some(sheet.weights()):
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        sheet.made_by(source.input[0], ("Cast", {"to": kind}, []), source=values.astype(np.int32))


def weights_in_two_parts(sheet: Sheet) -> None:
    for _, source, values in sheet.some(sheet.weights()):
        if values.shape[0] > 1:
            rest = sheet.constant(values[1:])
            sheet.made_by(source.input[0], ("Concat", {"axis": 0}, [rest]), source=values[:1])


def weights_cut_out(sheet: Sheet) -> None:
    for _, source, values in sheet.some(sheet.weights()):
        wide = np.concatenate([values, values[:1]])
        tables = [sheet.constant(np.array([value], np.int64)) for value in (0, len(values), 0)]
        sheet.made_by(source.input[0], ("Slice", {}, tables), source=wide)


def weights_unsqueezed(sheet: Sheet) -> None:
    first, last = (sheet.constant(np.array([axis], np.int64)) for axis in (0, -1))
    for _, source, values in sheet.some(sheet.weights()):
        chain = [("Unsqueeze", {}, [first]), ("Unsqueeze", {}, [last])]
        back = sheet.constant(np.array([0, values.ndim + 1], np.int64))
        sheet.made_by(source.input[0], *chain, ("Squeeze", {}, [back]), source=values)


def dequantized_weights_behind_transpose(sheet: Sheet) -> None:
    """DequantizeLinear -> Transpose, as TensorFlow's exporter writes kernels."""
    for _, source, values in list(sheet.weights()):
        order = [int(axis) for axis in sheet.random.permutation(values.ndim)]
        moved = np.ascontiguousarray(values.transpose(np.argsort(order)))
        axis = next((item.i for item in source.attribute if item.name == "axis"), 1) % values.ndim
        integers, real = sheet.constant(moved), sheet.fresh()
        again = sheet.node("DequantizeLinear", [integers, *source.input[1:]], [real], axis=order[axis])
        turned = sheet.node("Transpose", [real], [source.output[0]], perm=order)
        sheet.replace(source, again, turned)
        sheet.drop_constant(source.input[0])


def weights_real_behind_a_pair(sheet: Sheet) -> None:
    """Real weights behind QuantizeLinear and DequantizeLinear, as trainers of quantized networks write them."""
    for _, source, values in sheet.some(list(sheet.weights())):
        scale = sheet.array(source.input[1])
        if scale is None or len(source.input) < 3:
            continue
        axis = next((item.i for item in source.attribute if item.name == "axis"), 1) % values.ndim
        spread = scale if scale.ndim == 0 else scale.reshape([-1 if at == axis else 1 for at in range(values.ndim)])
        extra = {"axis": axis} if scale.ndim else {}
        real = (values.astype(np.float32) * spread).astype(np.float32)
        name = source.input[0]
        sheet.made_by(name, ("QuantizeLinear", extra, list(source.input[1:3])), source=real)


def weights_clipped_behind_a_pair(sheet: Sheet) -> None:
    """The same with a Clip of the bytes in between."""
    weights_real_behind_a_pair(sheet)
    for node in sheet.nodes("QuantizeLinear"):
        if (real := sheet.array(node.input[0])) is not None and real.ndim:
            low, high = (sheet.constant(np.int8(value)) for value in (-127, 127))
            inner = sheet.fresh()
            clip = sheet.node("Clip", [inner, low, high], [node.output[0]])
            again = sheet.node("QuantizeLinear", node.input, [inner])
            again.attribute.extend(node.attribute)
            sheet.replace(node, again, clip)


def sparse_weights(sheet: Sheet) -> None:
    for _, source, values in sheet.some(list(sheet.weights())):
        flat = values.reshape(-1)
        places = np.flatnonzero(flat).astype(np.int64)
        name = source.input[0]
        kept = numpy_helper.from_array(flat[places], name)
        sparse = helper.make_sparse_tensor(kept, numpy_helper.from_array(places, f"{name}_places"), list(values.shape))
        sheet.graph.sparse_initializer.append(sparse)
        sheet.graph.initializer.remove(sheet.initializers()[name])


def zero_points_left_out(sheet: Sheet) -> None:
    """Zero points of weights and biases that are zero."""
    for node in sheet.nodes("DequantizeLinear"):
        values = sheet.array(node.input[0])
        if values is not None and values.dtype in (np.int8, np.int32) and len(node.input) > 2:
            zero = sheet.array(node.input[2])
            if zero is not None and not zero.any():
                del node.input[2:]


def bias_in_reals(sheet: Sheet) -> None:
    """An int32 bias as the reals that it stands for."""
    for node in sheet.nodes("Conv", "Gemm"):
        source = sheet.producer(node.input[2]) if len(node.input) > 2 else None
        if source is None or source.op_type != "DequantizeLinear" or len(sheet.readers(source.output[0])) > 1:
            continue
        values, unit = sheet.array(source.input[0]), sheet.array(source.input[1])
        if values is not None and unit is not None:
            node.input[2] = sheet.constant((values.astype(np.float64) * unit).astype(np.float32))
            sheet.graph.node.remove(source)


def targets_computed(sheet: Sheet) -> None:
    """The target of a Reshape out of the shape of what is reshaped, as exporters of dynamic shapes write it."""
    for node in sheet.nodes("Reshape"):
        target = sheet.array(node.input[1])
        if target is None or target.ndim != 1 or target[0] != 0:
            continue
        shape, first, joined = (sheet.fresh() for _ in range(3))
        zero, rest = sheet.constant(np.array([0], np.int64)), sheet.constant(target[1:])
        sheet.put_before(
            node,
            sheet.node("Shape", [node.input[0]], [shape]),
            sheet.node("Gather", [shape, zero], [first], axis=0),
            sheet.node("Concat", [first, rest], [joined], axis=0),
        )
        again = next(entry for entry in sheet.nodes("Reshape") if entry.output[0] == node.output[0])
        again.input[1] = joined


def axis_of_scales_negative(sheet: Sheet) -> None:
    for _, source, values in sheet.weights():
        axis = next((item.i for item in source.attribute if item.name == "axis"), None)
        if axis is not None and axis >= 0:
            set_attribute(source, "axis", axis - values.ndim)


def _in_front(sheet: Sheet, made: list[onnx.NodeProto]) -> None:
    for node in reversed(made):
        sheet.graph.node.insert(0, node)
    written = {node.output[0] for node in made}
    for entry in [entry for entry in sheet.graph.input if entry.name in written]:
        sheet.graph.input.remove(entry)


CONSTANTS: list[Rewrite] = [
    zero_point_through_cast, zero_point_through_identity, zero_point_through_arithmetic, scale_by_arithmetic,
    scale_through_square_root, scales_of_one_element, scalars_through_squeeze, constants_in_nodes,
    scalars_by_attributes, constants_among_the_inputs, constants_in_typed_fields, weights_behind_reshape,
    weights_behind_reshape_with_zeros, weights_behind_transpose, weights_from_other_integers, weights_in_two_parts,
    weights_cut_out, weights_unsqueezed, dequantized_weights_behind_transpose, weights_real_behind_a_pair,
    weights_clipped_behind_a_pair, sparse_weights, zero_points_left_out, bias_in_reals, targets_computed,
    axis_of_scales_negative,
]  # fmt: skip
