"""What a file calls its values, where it puts its nodes and what it leaves lying about changes nothing."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sima_compiler import Archive, Model, ModelError
from sima_compiler.frontend.canonical import canonical
from sima_compiler.frontend.constants.ordering import operands, ordered_nodes
from sima_compiler.frontend.frames import with_activations
from tests.support.judges import assert_judges_agree
from tests.support.oracle import differing, quantize_by_onnxruntime, run_onnxruntime
from tests.support.qdq_graph import INT8, QdqGraph

Build = Callable[[QdqGraph], None]
NETWORKS: dict[str, Build] = {}


def network(build: Build) -> Build:
    NETWORKS[build.__name__] = build
    return build


@network
def two_branches(net: QdqGraph) -> None:
    x = net.input((3, 8, 8))
    left = net.pair(net.op("Relu", net.op("Conv", x, net.weights((4, 3, 3, 3), axis=0), pads=[1] * 4)), 0.03, -128)
    right = net.pair(net.op("Conv", x, net.weights((4, 3, 1, 1)), net.constant([1, 2, 3, -4.0], np.float32)))
    net.output(net.pair(net.op("Add", left, right), 0.06, 5))
    net.output(net.pair(net.op("Sigmoid", right), 1 / 256, -128))


@network
def moves_and_a_matrix(net: QdqGraph) -> None:
    x = net.op("Reshape", net.input((3, 4, 4)), net.op("Identity", net.constant([0, 48])))
    weights = net.op("Reshape", net.weights((6, 48), axis=0), net.constant([6, -1]))
    y = net.op("Gemm", net.pair(x, 0.02, 3), weights, net.constant(np.arange(6) / 3, np.float32), transB=1)
    net.output(net.pair(net.op("Clip", y, net.constant(-1, np.float32), net.constant(2, np.float32))))


@network
def bytes_at_both_ends(net: QdqGraph) -> None:
    kind = TensorProto.UINT8 if net.kind is np.uint8 else TensorProto.INT8
    image = net.float_input((6, 6, 3))
    net.inputs[0].type.tensor_type.elem_type = kind
    x = net.dequantize(net.op("Transpose", image, perm=[0, 3, 1, 2]), 0.02, 3)
    zero = net.op("Cast", net.constant(0, np.int32), to=TensorProto.INT8)
    weights = net.op("DequantizeLinear", net.constant(net.random.integers(-99, 99, (4, 3, 3, 3)), np.int8),
                     net.constant(0.01, np.float32), zero)  # fmt: skip
    net.output(net.quantize(net.op("Conv", x, weights), 0.05, 7), dtype=kind)


def written(name: str, kind: type = np.uint8) -> onnx.ModelProto:
    net = QdqGraph(kind)
    NETWORKS[name](net)
    return net.model()


def value_names(model: onnx.ModelProto) -> set[str]:
    nodes = {name for node in model.graph.node for name in (node.name, *node.input, *node.output)}
    return nodes | {entry.name for entry in (*model.graph.initializer, *model.graph.input, *model.graph.output)}


def renamed(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in result.graph.node:
        for values in (node.input, node.output):
            for place, name in enumerate(values):
                values[place] = names.get(name, name)
    for entry in (*result.graph.initializer, *result.graph.input, *result.graph.output):
        entry.name = names.get(entry.name, entry.name)
    return result


def inner_names(model: onnx.ModelProto) -> list[str]:
    boundary = {entry.name for entry in (*model.graph.input, *model.graph.output)}
    values = [name for node in model.graph.node for name in (*node.input, *node.output)]
    return [name for name in dict.fromkeys(values) if name not in boundary]


def invented(model: onnx.ModelProto) -> list[str]:
    """Names that reading, saving and exporting ``model`` make up."""
    read = Model.from_onnx(model)
    shifted = [with_activations(canonical(model), unsigned=unsigned) for unsigned in (False, True)]
    made = [canonical(model), *shifted, read.to_onnx(), read.to_onnx(uint8=True)]
    names = {name for result in made for name in value_names(result)} | set(read.graph.tensors)
    return sorted(names - value_names(model) - {""})


@pytest.mark.parametrize("kind", [np.uint8, INT8])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_files_own_names_may_be_ours(name: str, kind: type, tmp_path: Path) -> None:
    """The file's values get the very names that we would make up: three times, since each round makes up others."""
    model = written(name, kind)
    for _ in range(3):
        ours = invented(model)
        assert ours
        theirs = inner_names(model)
        model = renamed(model, dict(zip(theirs, ours, strict=False)))
        assert_judges_agree(model, tmp_path, batch=2, compress=True)
        exported = Model.from_onnx(model).to_onnx(uint8=True)
        onnx.checker.check_model(exported, full_check=True)


@pytest.mark.parametrize("name", NETWORKS)
def test_inputs_and_outputs_may_have_our_names_too(name: str, tmp_path: Path) -> None:
    model = written(name)
    boundary = [entry.name for entry in (*model.graph.input, *model.graph.output)]
    for _ in range(2):
        ours = [label for label in invented(model) if label not in boundary]
        boundary = ours[: len(boundary)]
        names = [entry.name for entry in (*model.graph.input, *model.graph.output)]
        model = renamed(model, dict(zip(names, boundary, strict=True)))
        assert_judges_agree(model, tmp_path, batch=2, compress=True)


def test_zero_and_zero_int8(tmp_path: Path) -> None:
    """A uint8 zero point called zero beside an int8 one called as its shifted form would be."""
    net = QdqGraph()
    net.constants |= {"zero": np.uint8(115), "zero_int8": np.int8(0), "zero_uint8": np.int8(0)}
    scale, weights = net.constant(0.05, np.float32), net.constant(net.random.integers(-99, 99, (4, 3, 3, 3)), np.int8)
    x = net.op("DequantizeLinear", net.op("QuantizeLinear", net.float_input((3, 6, 6)), scale, "zero"), scale, "zero")
    kernel = net.op("DequantizeLinear", weights, net.constant(0.005, np.float32), "zero_int8")
    stored = net.op("QuantizeLinear", net.op("Conv", x, kernel), scale, "zero")
    net.output(net.op("DequantizeLinear", stored, scale, "zero"))
    assert_judges_agree(net.model(), tmp_path, batch=2, compress=True)


def test_the_operators_of_onnxruntime_under_names_of_ours(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = numpy_helper.from_array(random.standard_normal((4, 3, 3, 3)).astype(np.float32), "w")
    bias = numpy_helper.from_array(random.standard_normal(4).astype(np.float32), "b")
    node = helper.make_node("Conv", ["image", "w", "b"], ["y"], "conv")
    image, result = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", c, s, s])
                     for n, c, s in (("image", 3, 8), ("y", 4, 6)))  # fmt: skip
    graph = helper.make_graph([node], "net", [image], [result], [weights, bias])
    batches = [{"image": random.standard_normal((1, 3, 8, 8), dtype=np.float32)} for _ in range(2)]
    float_model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model = quantize_by_onnxruntime(float_model, batches, tmp_path, operators=True)
    for _ in range(2):
        model = renamed(model, dict(zip(inner_names(model), invented(model), strict=False)))
        assert_judges_agree(model, tmp_path, batch=2, compress=True)


# Node names.


@pytest.mark.parametrize("label", ["same", "", "node_Add_48"])
@pytest.mark.parametrize("name", NETWORKS)
def test_nodes_may_be_called_alike(name: str, label: str, tmp_path: Path) -> None:
    """onnx allows it, onnxruntime does not: the judge gets the file as it was."""
    model = written(name)
    alike = renamed(model, {})
    for node in alike.graph.node:
        node.name = label
    assert_judges_agree(model, tmp_path, batch=2, compress=True, model=Model.from_onnx(alike, "alike"))


def test_the_report_names_the_nodes_of_the_file(tmp_path: Path) -> None:
    model = written("two_branches")
    result = Model.from_onnx(model).compile(tmp_path)
    report = Archive.open(result.path).report
    assert report is not None
    sources = {name for layer in report.layers for name in layer.sources}
    assert {node.name for node in model.graph.node if node.op_type == "Conv"} <= sources


def test_the_binary_holds_names_of_inputs_and_outputs_only(tmp_path: Path) -> None:
    model = written("two_branches")
    secret = renamed(model, {name: f"SECRET_{place}" for place, name in enumerate(inner_names(model))})
    for node in secret.graph.node:
        node.name = f"SECRET_{node.name}"
    assert b"SECRET" not in binary(Model.from_onnx(secret), tmp_path)


def binary(model: Model, folder: Path) -> bytes:
    with tarfile.open(model.compile(folder).path) as archive:
        name = next(name for name in archive.getnames() if name.endswith(".lm"))
        member = archive.extractfile(name)
        assert member is not None
        return member.read()


# Order.


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", range(3))
def test_the_same_bytes_whatever_the_order_and_the_inner_names(name: str, seed: int, tmp_path: Path) -> None:
    model = written(name)
    random = np.random.default_rng(seed)
    other = renamed(model, {label: f"v{place}" for place, label in enumerate(random.permutation(inner_names(model)))})
    nodes = [other.graph.node[place] for place in random.permutation(len(other.graph.node))]
    holder = onnx.GraphProto(node=nodes, initializer=list(other.graph.initializer)[::-1])
    del other.graph.node[:], other.graph.initializer[:]
    other.graph.MergeFrom(holder)
    one, two = tmp_path / "one", tmp_path / "two"
    assert binary(Model.from_onnx(model, "net"), one) == binary(Model.from_onnx(other, "net"), two)


def test_constants_repeated_among_the_inputs_are_constants(tmp_path: Path) -> None:
    model = written("two_branches")
    other = renamed(model, {})
    for tensor in model.graph.initializer:
        other.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    one, two = tmp_path / "one", tmp_path / "two"
    assert Model.from_onnx(other).graph.inputs == ("image",)
    assert binary(Model.from_onnx(model, "net"), one) == binary(Model.from_onnx(other, "net"), two)


def test_order_follows_outputs_then_operands() -> None:
    nodes = [helper.make_node("Add", ["b", "a"], ["sum"], "sum"), helper.make_node("Neg", ["x"], ["a"], "a"),
             helper.make_node("Abs", ["x"], ["b"], "b"), helper.make_node("Exp", ["a"], ["e"], "e")]  # fmt: skip
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "sum", "e")}
    for outputs, expected in ((["sum", "e"], "b a sum e"), (["e", "sum"], "a e b sum"), (["e"], "a e")):
        graph = helper.make_graph(nodes, "g", [values["x"]], [values[name] for name in outputs])
        assert [node.name for node in ordered_nodes(graph)] == expected.split()


def test_bodies_count_as_readers() -> None:
    """A node that only the branch of an If reads is kept, and stands in front of it."""
    inner = helper.make_graph([helper.make_node("Neg", ["outer"], ["r"])], "then", [],
                              [helper.make_tensor_value_info("r", TensorProto.FLOAT, [1])])  # fmt: skip
    branch = helper.make_node("If", ["c"], ["y"], "if", then_branch=inner, else_branch=inner)
    assert operands(branch) == ["c", "outer", "outer"]
    x, c, y = (helper.make_tensor_value_info(n, t, [1]) for n, t in (("x", 1), ("c", TensorProto.BOOL), ("y", 1)))
    graph = helper.make_graph([branch, helper.make_node("Abs", ["x"], ["outer"], "abs")], "g", [x, c], [y])
    assert [node.name for node in ordered_nodes(graph)] == ["abs", "if"]


# What reaches no output.


def with_dead(kind: str) -> tuple[onnx.ModelProto, bool]:
    """A network with something that reaches no output, and whether onnxruntime takes it as well."""
    net = QdqGraph()
    x = net.pair(net.op("Conv", net.input((3, 8, 8)), net.weights((4, 3, 3, 3))))
    net.output(x)
    if kind == "unsupported operators":
        best, _ = net.op("TopK", x, net.constant([3]), outputs=2, axis=1)
        net.op("Cast", best, to=TensorProto.FLOAT16)
    elif kind == "a whole branch":
        net.pair(net.op("MaxPool", net.pair(net.op("Conv", x, net.weights((9, 4, 3, 3)))), kernel_shape=[2, 2]))
    elif kind == "constants":
        net.op("Mul", net.constant(np.zeros((1, 2), np.float32)), net.constant(np.nan, np.float32))
    elif kind == "an input nobody reads":
        net.op("Sqrt", net.float_input((3,), "idle"))
    elif kind == "undefined values":
        net.nodes.append(helper.make_node("Add", ["ghost", x], ["nothing"], "dead"))
    elif kind == "a constant beyond the limit":
        net.op("ConstantOfShape", net.constant([2**20, 2**20]))
    return net.model(), kind not in ("undefined values", "a constant beyond the limit")


@pytest.mark.parametrize(
    "kind",
    ["unsupported operators", "a whole branch", "constants", "an input nobody reads", "undefined values",
     "a constant beyond the limit"],
)  # fmt: skip
def test_what_reaches_no_output_is_dropped(kind: str) -> None:
    model, accepted = with_dead(kind)
    alive = renamed(model, {})
    kept = ordered_nodes(alive.graph)
    holder = onnx.GraphProto(node=kept)
    del alive.graph.node[:]
    alive.graph.node.extend(holder.node)
    inputs = {"image": np.random.default_rng(0).standard_normal((2, 3, 8, 8), dtype=np.float32)}
    given = inputs | ({"idle": np.zeros((2, 3), np.float32)} if kind.startswith("an input") else {})
    (expected,) = run_onnxruntime(model if accepted else alive, given).values()
    read = Model.from_onnx(model)
    assert read.graph.inputs == ("image",)
    assert not differing(expected, read.execute(inputs)[0])


# Depth.

LONG = 20_000


def test_long_chains_of_constants(tmp_path: Path) -> None:
    net = QdqGraph()
    weights, factor = net.weights((4, 3, 1, 1)), net.constant(1, np.float32)
    for _ in range(LONG // 2):
        weights = net.op("Identity", weights)
    step = net.constant(2.0**-20, np.float32)
    for _ in range(LONG // 2):
        factor = net.op("Add", factor, step)
    scale = net.op("Mul", factor, net.constant(0.01, np.float32))
    zero = net.constant(3, np.uint8)
    pair = net.op("DequantizeLinear", net.op("QuantizeLinear", net.float_input((3, 2, 2)), scale, zero), scale, zero)
    net.output(net.pair(net.op("Conv", pair, weights)))
    graph = Model.from_onnx(net.model()).graph
    assert graph.tensors["image"].quant.scale == np.float32(0.01) * np.float32(1 + LONG // 2 * 2.0**-20)


def test_long_chains_of_activations() -> None:
    net = QdqGraph()
    x = net.quantize(net.float_input((3, 2)), 0.02, 3)
    for place in range(LONG):
        x = net.op("Identity", x) if place % 4 else net.op("Transpose", x, perm=[0, 2, 1])
    net.output(net.dequantize(x, 0.02, 3))
    model = net.model()
    nodes = onnx.GraphProto(node=list(model.graph.node)[::-1])
    del model.graph.node[:]
    model.graph.node.extend(nodes.node)
    assert len(Model.from_onnx(model).graph.nodes) >= LONG // 4


def test_chains_that_nothing_quantizes_end_in_an_error() -> None:
    net = QdqGraph()
    x = net.input((3, 2))
    for _ in range(3000):
        x = net.op("Transpose", x, perm=[0, 2, 1])
    net.output(net.pair(x, 0.02, 3))
    with pytest.raises(ModelError, match="in a row without a QuantizeLinear"):
        Model.from_onnx(net.model())
