"""Advice is worth what it says: each kind is followed, and recovers 0.5 to 1.5 of what it claims."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from sima_compiler import Archive, Machine, Model
from sima_compiler.ir.graph import Graph
from sima_compiler.view import Finding, View, page_html, view_of, view_of_path, view_text
from sima_compiler.view.advice.evidence import LEAST_SHARE
from sima_compiler.view.advice.findings import findings_of
from tests.networks.float_net import FloatNet
from tests.networks.topologies import mobilenet_v2, yolo_style
from tests.support.followed import Setting, followed, is_worth_its_claim, per_sample, recovered
from tests.support.followed import compiled as built
from tests.support.qdq_writer import Style, write_qdq

SAMPLES = Path(__file__).parents[1] / "archive" / "samples"
Build = Callable[[FloatNet], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("advice")


def graph_of(build: Build) -> Graph:
    net = FloatNet(3)
    return Model.from_onnx(write_qdq(net.model([build(net)], "net"), 3, Style()), "net").graph


def compiled(folder: Path, build: Build, machine: str | Machine, batch: int = 1, **options: object) -> View:
    net = FloatNet(3)
    model = Model.from_onnx(write_qdq(net.model([build(net)], "net"), 3, Style()), "net")
    return view_of(model.compile(output_path=str(folder), batch_size=batch, machine=machine, **options).archive)


def head(net: FloatNet, value: str) -> str:
    return net.dense(net.flatten(net.global_pool(value)), 16)


def convolutions(channels: int, size: int) -> Build:
    return lambda net: head(net, net.conv(net.conv(net.input((16, size, size)), channels, 3), channels, 3))


def depthwise(channels: int, kernel: int, size: int) -> Build:
    return lambda net: head(
        net, net.conv(net.conv(net.input((16, size, size)), channels, 1), channels, kernel, groups=channels)
    )


def heavy(inputs: int, channels: int, size: int) -> Build:
    """More weights than pixels."""
    return lambda net: head(net, net.conv(net.conv(net.input((inputs, size, size)), channels, 3), 64, 3))


def finding(view: View, kind: str) -> Finding:
    (found,) = (one for one in view.findings if one.kind == kind)
    return found


def assert_recovers(before: View, kind: str, after: View) -> None:
    found = finding(before, kind)
    assert is_worth_its_claim(found, before, after), (found.cycles, recovered(before, after))
    assert found.layers
    assert set(found.layers) <= {layer.id for layer in before.layers}
    assert kind not in {one.kind for one in after.findings}


@pytest.mark.parametrize(
    ("machine", "odd", "even", "size"),
    [("tiny", 40, 32, 12), ("tiny", 24, 16, 24), ("mlsoc", 40, 32, 12), ("mlsoc", 72, 64, 16)],
)
def test_channels_that_leave_lanes_idle(folder: Path, machine: str, odd: int, even: int, size: int) -> None:
    before = compiled(folder, convolutions(odd, size), machine)
    assert f"{odd} to {even}" in finding(before, "idle_lanes").advice
    assert_recovers(before, "idle_lanes", compiled(folder, convolutions(even, size), machine))


@pytest.mark.parametrize(("machine", "channels", "kernel"), [("tiny", 64, 5), ("tiny", 96, 7), ("mlsoc", 64, 5)])
def test_large_depthwise_kernels(folder: Path, machine: str, channels: int, kernel: int) -> None:
    before = compiled(folder, depthwise(channels, kernel, 16), machine)
    assert_recovers(before, "large_depthwise", compiled(folder, depthwise(channels, 3, 16), machine))


def bottlenecks(hidden: int, size: int, kernel: int = 3) -> Build:
    """Two inverted residuals, the second with a gate: maps that must change with the depthwise layer's."""

    def build(net: FloatNet) -> str:
        value = net.conv(net.input((16, size, size)), 32, 3)
        wide = net.conv(net.conv(value, hidden), hidden, kernel, groups=hidden)
        value = net.conv(wide, 32)
        wide = net.conv(net.conv(value, hidden), hidden, kernel, groups=hidden)
        gate = net.conv(net.conv(net.global_pool(wide), 16), hidden)
        wide = net.binary("Mul", wide, net.unary("Sigmoid", gate), net.shapes[wide])
        return head(net, net.binary("Add", net.conv(wide, 32), value))

    return build


@pytest.mark.parametrize(
    ("build", "machine", "batch"),
    [
        (depthwise(64, 3, 12), "tiny", 1),
        (depthwise(64, 3, 24), "mlsoc", 1),
        (bottlenecks(96, 8), "tiny", 1),
        (bottlenecks(192, 28), "mlsoc", 1),
        (bottlenecks(192, 28), "mlsoc", 4),
    ],
    ids=["alone-tiny", "alone-mlsoc", "bottlenecks-tiny", "bottlenecks-mlsoc", "bottlenecks-mlsoc-4"],
)
def test_depthwise_layers_with_many_channels(folder: Path, build: Build, machine: str, batch: int) -> None:
    graph, setting = graph_of(build), Setting(folder, Machine.load(machine), batch)
    before = built(graph, setting)
    found = finding(before, "depthwise")
    after = followed(graph, before, found, setting)
    assert is_worth_its_claim(found, before, after), (found.cycles, recovered(before, after))
    assert {before.layers[number - 1].family for number in found.layers} == {"depthwise"}


@pytest.mark.parametrize(
    ("machine", "inputs", "channels", "size"), [("tiny", 64, 128, 4), ("mlsoc", 32, 64, 8), ("mlsoc", 128, 256, 7)]
)
def test_what_a_larger_batch_shares(folder: Path, machine: str, inputs: int, channels: int, size: int) -> None:
    graph, setting = graph_of(heavy(inputs, channels, size)), Setting(folder, Machine.load(machine))
    before = built(graph, setting)
    found = finding(before, "larger_batch")
    after = followed(graph, before, found, setting)
    assert f"--batch-size {after.batch.actual_batch_size})" in found.advice
    assert is_worth_its_claim(found, before, after), (found.cycles, recovered(before, after))


def test_a_larger_batch_that_memory_may_not_hold_claims_nothing(folder: Path) -> None:
    """Its maps fill the memory alone, so that only planning tells whether two samples fit."""
    found = finding(compiled(folder, depthwise(64, 3, 24), "tiny"), "larger_batch")
    assert found.cycles is None
    assert "simac batch MODEL --batch-size 2" in found.advice


def chain(net: FloatNet) -> str:
    return head(net, net.conv(net.conv(net.conv(net.input((16, 48, 48)), 32, 3), 32, 3), 32, 3))


def residual(net: FloatNet) -> str:
    start = net.conv(net.input((16, 40, 40)), 32, 3)
    return head(net, net.binary("Add", start, net.conv(net.conv(start, 32, 3), 32, 3)))


@pytest.mark.parametrize(
    "build",
    [chain, residual, depthwise(96, 3, 48), bottlenecks(64, 32), convolutions(72, 32)],
    ids=["chain", "residual", "depthwise", "bottlenecks", "convolutions"],
)
def test_spilled_maps_cost_what_a_machine_with_room_for_them_saves(folder: Path, build: Build) -> None:
    graph, setting = graph_of(build), Setting(folder, Machine.load("tiny"), quads=1)
    before = built(graph, setting)
    after = followed(graph, before, finding(before, "spills"), setting)
    assert all(not segment.spilled for segment in after.segments)
    assert_recovers(before, "spills", after)


@pytest.mark.parametrize(
    ("build", "kind"),
    [
        (depthwise(96, 3, 48), "depthwise"),
        (depthwise(64, 5, 48), "large_depthwise"),
        (convolutions(72, 32), "idle_lanes"),
    ],
    ids=["depthwise", "large_depthwise", "idle_lanes"],
)
def test_layers_that_memory_shapes_have_their_work_told_and_no_cycles_claimed(
    folder: Path, build: Build, kind: str
) -> None:
    """Half a map may stay where the whole is spilled: following gained 0.8 to 30 times what these layers work for."""
    view = built(graph_of(build), Setting(folder, Machine.load("tiny"), quads=1))
    found = finding(view, kind)
    assert found.cycles is None
    assert "only a compile tells" in found.evidence
    assert "% of the run" in found.evidence
    assert found.layers


def test_padding_that_outweighs_the_waits_for_spilled_maps_leaves_them_without_a_claim(folder: Path) -> None:
    found = finding(built(graph_of(convolutions(40, 48)), Setting(folder, Machine.load("tiny"), quads=1)), "spills")
    assert found.cycles is None


@pytest.mark.parametrize(
    ("network", "batch", "kind"),
    [(mobilenet_v2, 1, "depthwise"), (mobilenet_v2, 4, "depthwise"), (yolo_style, 1, "larger_batch")],
)
def test_every_finding_on_a_whole_network(
    folder: Path, network: Callable[[], onnx.ModelProto], batch: int, kind: str
) -> None:
    """The larger networks stand in tests/long/advice_on_networks.py."""
    graph = Model.from_onnx(write_qdq(network(), 3, Style()), "whole").graph
    setting = Setting(folder, Machine.load("mlsoc"), batch)
    before = built(graph, setting)
    assert before.findings[0].kind == kind
    for found in (one for one in before.findings if one.cycles is not None):
        after = followed(graph, before, found, setting)
        assert is_worth_its_claim(found, before, after), (found.kind, found.cycles, recovered(before, after))


def limited(net: FloatNet) -> str:
    """One quad of the tiny machine takes a batch of 2."""
    value = net.conv(net.input((16, 32, 32)), 16, 3, stride=4, pads=(1, 1, 1, 1))
    return head(net, net.conv(net.conv(value, 128, 3), 16, 3))


def test_what_limits_the_batch_claims_what_was_planned_and_nothing_else(folder: Path) -> None:
    bare = finding(compiled(folder, limited, "tiny", 3, quads=1, compress=False), "batch_limit")
    assert bare.cycles is None
    assert "--levers" in bare.advice
    before = compiled(folder, limited, "tiny", 3, quads=1, compress=False, levers=True)
    found = finding(before, "batch_limit")
    assert found.advice.startswith("2 quads instead of 1: batch 3")
    after = compiled(folder, limited, "tiny", 3, quads=2, compress=False)
    assert found.cycles == pytest.approx(2 * (per_sample(before) - per_sample(after)), abs=1)
    assert "larger_batch" not in {one.kind for one in before.findings}


def test_padded_outputs_have_bytes_and_steps_and_no_cycles(folder: Path) -> None:
    def build(channels: int) -> Build:
        return lambda net: net.conv(net.input((16, 12, 12)), channels, 3)

    view = compiled(folder, build(40), "tiny", 2)
    found = finding(view, "padded_output")
    assert (found.cycles, found.bytes, found.steps) == (None, 2 * 12 * 12 * (48 - 40), 1)
    assert view.findings[-1] is found
    assert "padded_output" not in {one.kind for one in compiled(folder, build(48), "tiny", 2).findings}


def test_findings_are_ranked_worth_their_line_and_the_same_everywhere(folder: Path) -> None:
    view = compiled(folder, convolutions(40, 12), "tiny")
    claims = [one.cycles for one in view.findings if one.cycles is not None]
    assert len(claims) >= 2
    assert claims == sorted(claims, reverse=True)
    assert min(claims) >= LEAST_SHARE * (view.totals.runtime_cycles or 0)
    text, page = view_text(view), page_html(view)
    for one in view.findings:
        assert one.title in text
        assert one.title in page
        assert one.cycles is None or f"up to {one.cycles:,} cycles" in text


def test_what_is_not_recorded_is_not_advised() -> None:
    """The first layout does not say what compute is spent on; statistics record no run at all."""
    kinds = {one.kind for one in view_of(Archive.open(SAMPLES / "report_1_0_tiny_mpk.tar.gz")).findings}
    assert kinds <= {"batch_limit", "larger_batch", "padded_output"}
    stats = view_of_path(Path(__file__).parents[1] / "archive" / "samples" / "report_1_0_mpk.tar.gz")
    assert all(one.cycles is None or one.cycles > 0 for one in findings_of(stats))
