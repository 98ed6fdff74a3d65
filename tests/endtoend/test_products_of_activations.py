"""MatMul and Einsum of two activations, and attention: exact on large, small and tiny machines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Archive, Machine, Model, UnsupportedError, quantize
from sima_compiler.frontend.quantize import quantize_onnx
from sima_compiler.ir.graph import Op
from sima_compiler.ir.program import Multiply
from sima_compiler.lm.reader import decode
from tests.networks.float_net import FloatNet
from tests.support.fed_nodes import assert_fed_nodes_agree, assert_one_step_at_most
from tests.support.judges import assert_judges_agree
from tests.support.qdq_graph import INT8, UINT8, QdqGraph
from tests.support.work_share import share_on_the_accelerator


@pytest.fixture(scope="module")
def eight_kib(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny machine with one quad of 8 KiB."""
    text = Machine.load("tiny").text.replace("sram_bytes_per_quad: 32768", "sram_bytes_per_quad: 8192")
    path = tmp_path_factory.mktemp("machine") / "eight_kib.yaml"
    path.write_text(text.replace("quads: 2", "quads: 1"))
    return str(path)


def product_network(seed: int) -> tuple[onnx.ModelProto, int]:
    """A product of drawn matrices, many or one, one side turned or broadcast, and a batch."""
    draw = np.random.default_rng(seed)
    front = tuple(int(size) for size in draw.integers(1, 5, int(draw.integers(0, 3))))
    rows, inner, outputs = (int(size) for size in draw.integers(1, 40, 3))
    net = QdqGraph((UINT8, INT8)[seed % 2], seed=seed)
    left = (1,) * len(front) if seed % 7 == 6 else front
    right = (1,) * len(front) if seed % 7 == 5 else front
    a = net.input((*left, rows, inner), "a", scale=0.03, zero=int(draw.integers(-90, 90)))
    zero = int(draw.integers(-90, 90)) if seed % 4 else 0
    if seed % 3 == 0:
        order = [*range(len(front) + 1), len(front) + 2, len(front) + 1]
        b = net.op("Transpose", net.input((*right, outputs, inner), "b", scale=0.02, zero=zero), perm=order)
        b = net.pair(b, 0.02, zero)
    else:
        b = net.input((*right, inner, outputs), "b", scale=0.02, zero=zero)
    y = net.pair(net.op("MatMul", a, b), float(0.03 * inner**0.5), int(draw.integers(-20, 20)))
    net.output(net.pair(net.op("Sigmoid", y), 1 / 256, -128) if seed % 5 == 0 else y)
    return net.model(), int(draw.integers(1, 4))


@pytest.mark.parametrize("seed", range(42))
def test_a_product_of_any_shape(seed: int, eight_kib: str, tmp_path: Path) -> None:
    model, batch = product_network(seed)
    machine = ("mlsoc", "tiny", eight_kib)[seed // 2 % 3]
    assert_judges_agree(model, tmp_path, batch=batch, compress=bool(seed % 2), machine=machine, seed=seed)


def test_matrices_beyond_memory_run_in_blocks(eight_kib: str, tmp_path: Path) -> None:
    """Each side is 12 KiB and the result 36 KiB, of 8 KiB on chip."""
    net = QdqGraph()
    a, b = net.input((190, 64), "a"), net.input((190, 64), "b")
    b = net.pair(net.op("Transpose", b, perm=[0, 2, 1]), 0.02, 3)
    net.output(net.pair(net.op("MatMul", a, b), 0.2, 0))
    verdict = assert_judges_agree(net.model(), tmp_path, batch=1, compress=True, machine=eight_kib)
    archive = Archive.open(verdict.path)
    steps = decode(archive.read(archive.lm_files[0])).compute
    assert sum(isinstance(step, Multiply) for step in steps) > 4


def test_a_product_that_is_quantized_twice_makes_reals_of_its_sums(tmp_path: Path) -> None:
    net = QdqGraph()
    y = net.op("MatMul", net.input((4, 9, 20), "a"), net.input((4, 20, 7), "b"))
    net.output(net.pair(y, 0.01, -3))
    net.output(net.pair(y, 0.02, 4))
    model = Model.from_onnx(net.model())
    assert {node.op for node in model.graph.nodes} == {Op.REAL_MATMUL}
    assert_fed_nodes_agree(net.model(), tmp_path, model=model)


EQUATIONS = {
    "bhid,bhjd->bhij": ((3, 5, 8), (3, 7, 8)),
    "bhij,bhjd->bhid": ((3, 5, 7), (3, 7, 8)),
    "bid,bjd->bij": ((5, 8), (7, 8)),
    "bij,bjk->bik": ((5, 8), (8, 7)),
    "bihd,bjhd->bhij": ((5, 3, 8), (7, 3, 8)),
    "bhij,bjhd->bihd": ((3, 5, 7), (7, 3, 8)),
    "nctkv,nkvw->nctw": ((3, 4, 2, 5), (2, 5, 6)),
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum_in_the_spellings_of_attention(equation: str, tmp_path: Path) -> None:
    left, right = EQUATIONS[equation]
    net = QdqGraph(seed=1)
    a, b = net.input(left, "a", scale=0.03, zero=9), net.input(right, "b", scale=0.02, zero=-20)
    net.output(net.pair(net.op("Einsum", a, b, equation=equation), 0.1, 3))
    model = Model.from_onnx(net.model())
    assert [node.op for node in model.graph.nodes].count(Op.EINSUM) == 1
    if model.graph.nodes[-1].op is Op.EINSUM:
        assert_fed_nodes_agree(net.model(), tmp_path, model=model, machine="tiny")
    else:
        assert_one_step_at_most(net.model(), model, share=1e-3)


@pytest.mark.parametrize("equation", ["bij,jk->bik", "bii,bij->bj", "b...d,b...d->b...", "bij,bkl->bijkl", "ib,bj->ij"])
def test_what_is_no_matrix_product_is_refused(equation: str) -> None:
    net = QdqGraph()
    a, b = net.input((3, 3), "a"), net.input((3, 3), "b")
    if equation == "bij,jk->bik":
        b = net.op("Reshape", b, net.constant([-1, 9]))
    net.output(net.pair(net.op("Einsum", a, b, equation=equation)))
    with pytest.raises(UnsupportedError, match=r"Einsum is a matrix product|first dimension"):
        Model.from_onnx(net.model())


def transformer_block(net: FloatNet, x: str, heads: int, hidden: int) -> str:
    """Layer norm, attention, and a multilayer perceptron, each with its residual, as torch exports a vision
    transformer.
    """
    tokens, width = net.shapes[x]
    depth = width // heads
    y = _norm(net, x)
    parts: list[str] = []
    for name in "qkv":
        z = _dense(net, y, width, name)
        z = net.node("Reshape", [z, net.constant(np.array([0, tokens, heads, depth]))], (tokens, heads, depth))
        order, shape = ([0, 2, 3, 1], (heads, depth, tokens)) if name == "k" else ([0, 2, 1, 3], (heads, tokens, depth))
        parts.append(net.node("Transpose", [z], shape, perm=order))
    scores = net.node("MatMul", parts[:2], (heads, tokens, tokens))
    scores = net.node("Mul", [scores, net.constant(np.float32(depth**-0.5))], (heads, tokens, tokens))
    shares = net.node("Softmax", [scores], (heads, tokens, tokens), axis=-1)
    mixed = net.node("MatMul", [shares, parts[2]], (heads, tokens, depth))
    mixed = net.node("Transpose", [mixed], (tokens, heads, depth), perm=[0, 2, 1, 3])
    mixed = net.node("Reshape", [mixed, net.constant(np.array([0, tokens, width]))], (tokens, width))
    x = net.binary("Add", x, _dense(net, mixed, width, "o"))
    y = _dense(net, _norm(net, x), hidden, "up")
    y = net.node("Mul", [y, net.node("Sigmoid", [y], (tokens, hidden))], (tokens, hidden))
    return net.binary("Add", x, _dense(net, y, width, "down"))


def _norm(net: FloatNet, x: str) -> str:
    width = net.shapes[x][-1]
    values = [net.random.normal(1, 0.1, width), net.random.normal(0, 0.1, width)]
    return net.node("LayerNormalization", [x, *(net.constant(one.astype(np.float32)) for one in values)],
                    net.shapes[x], axis=-1)  # fmt: skip


def _dense(net: FloatNet, x: str, outputs: int, stem: str) -> str:
    inputs = net.shapes[x][-1]
    weights = net.random.normal(0, inputs**-0.5, (inputs, outputs)).astype(np.float32)
    y = net.node("MatMul", [x, net.constant(weights, stem)], (*net.shapes[x][:-1], outputs))
    bias = net.constant(net.random.normal(0, 0.05, outputs).astype(np.float32))
    return net.node("Add", [y, bias], net.shapes[y])


@pytest.mark.parametrize("machine", ["mlsoc", "tiny"])
def test_a_vision_transformer_block_from_seeded_weights(machine: str, tmp_path: Path) -> None:
    """Patches by a convolution, a class token, places, one block, a classifier on the token with its softmax."""
    net = FloatNet(4)
    x = net.conv(net.input((3, 32, 32), "image"), 48, 8, stride=8, pads=(0, 0, 0, 0))
    x = net.node("Reshape", [x, net.constant(np.array([0, 48, 16]))], (48, 16))
    x = net.node("Transpose", [x], (16, 48), perm=[0, 2, 1])
    token = net.constant(net.random.normal(0, 0.5, (1, 1, 48)).astype(np.float32), "token")
    x = net.node("Concat", [token, x], (17, 48), axis=1)
    places = net.constant(net.random.normal(0, 0.2, (1, 17, 48)).astype(np.float32), "places")
    x = net.node("Add", [x, places], (17, 48))
    x = transformer_block(net, x, 4, 96)
    x = _norm(net, x)
    x = net.node("Gather", [x, net.constant(np.array(0))], (48,), axis=1)
    x = net.node("Softmax", [_dense(net, x, 10, "head")], (10,), axis=-1)
    source = net.model([x])
    random = np.random.default_rng(0)
    samples = [{"image": random.standard_normal((1, 3, 32, 32), np.float32)} for _ in range(4)]
    made = quantize_onnx(source, samples).model
    model = quantize(source, samples, "vit")
    found = [node.op for node in model.graph.nodes]
    assert (found.count(Op.MATMUL), found.count(Op.SOFTMAX), found.count(Op.LAYER_NORM)) == (2, 2, 3)
    assert share_on_the_accelerator(model, made) >= 0.95
    verdict = assert_fed_nodes_agree(made, tmp_path, batch=2, machine=machine, model=model)
    assert len(verdict.nodes) == 3
    assert verdict.top1 == 1


def test_attention_over_the_pixels_of_an_image(tmp_path: Path) -> None:
    """As detectors have it: queries, keys and values cut out of one convolution, both products turned."""
    net = FloatNet(3)
    channels, side, heads, depth, width = 32, 6, 2, 8, 16
    pixels, rows = side * side, 2 * depth + width
    x = net.input((channels, side, side), "image")
    y = net.node("Reshape", [net.conv(x, heads * rows, 1), net.constant(np.array([0, heads, rows, pixels]))],
                 (heads, rows, pixels))  # fmt: skip
    sizes = [(heads, depth, pixels), (heads, depth, pixels), (heads, width, pixels)]
    queries, keys, values = net.many("Split", [y, net.constant(np.array([depth, depth, width]))], sizes, axis=2)
    queries = net.node("Transpose", [queries], (heads, pixels, depth), perm=[0, 1, 3, 2])
    scores = net.node("MatMul", [queries, keys], (heads, pixels, pixels))
    scores = net.node("Mul", [scores, net.constant(np.float32(depth**-0.5))], (heads, pixels, pixels))
    shares = net.node("Softmax", [scores], (heads, pixels, pixels), axis=-1)
    shares = net.node("Transpose", [shares], (heads, pixels, pixels), perm=[0, 1, 3, 2])
    mixed = net.node("MatMul", [values, shares], (heads, width, pixels))
    image = net.constant(np.array([0, channels, side, side]))
    places = net.conv(net.node("Reshape", [values, image], (channels, side, side)), channels, 3, groups=channels)
    mixed = net.binary("Add", net.node("Reshape", [mixed, image], (channels, side, side)), places)
    source = net.model([net.binary("Add", x, net.conv(mixed, channels, 1))])
    random = np.random.default_rng(0)
    samples = [{"image": random.standard_normal((1, channels, side, side), np.float32)} for _ in range(3)]
    model = quantize(source, samples)
    assert_judges_agree(quantize_onnx(source, samples).model, tmp_path, batch=2, compress=True, model=model)
