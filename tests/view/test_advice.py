"""Advice is worth what it says: each kind is followed, and recovers 0.5 to 1.5 of what it claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from sima_compiler import Archive, Machine, Model
from sima_compiler.view import Finding, View, page_html, view_of, view_of_path, view_text
from sima_compiler.view.advice import LEAST_SHARE, findings_of
from tests.networks.float_net import FloatNet
from tests.networks.topologies import mobilenet_v2, yolo_style
from tests.support.qdq_writer import Style, write_qdq

SAMPLES = Path(__file__).parents[1] / "archive" / "samples"
Build = Callable[[FloatNet], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("advice")


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


def per_sample(view: View) -> float:
    return (view.totals.runtime_cycles or 0) / (view.batch.actual_batch_size or 1)


def assert_recovers(before: View, kind: str, after: View) -> None:
    recovered = (per_sample(before) - per_sample(after)) * (before.batch.actual_batch_size or 1)
    found = finding(before, kind)
    assert found.cycles is not None
    assert 0.5 <= found.cycles / recovered <= 1.5, (found.cycles, recovered)
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


@pytest.mark.parametrize(("machine", "size"), [("tiny", 12), ("mlsoc", 24)])
def test_depthwise_layers_with_many_channels(folder: Path, machine: str, size: int) -> None:
    before, after = compiled(folder, depthwise(64, 3, size), machine), compiled(folder, depthwise(32, 3, size), machine)
    found = finding(before, "depthwise")
    recovered = per_sample(before) - per_sample(after)
    assert found.cycles is not None
    assert 0.5 <= found.cycles / recovered <= 1.5
    assert [before.layers[number - 1].family for number in found.layers] == ["depthwise"]


@pytest.mark.parametrize(
    ("machine", "inputs", "channels", "size"), [("tiny", 64, 128, 4), ("mlsoc", 32, 64, 8), ("mlsoc", 128, 256, 7)]
)
def test_what_a_larger_batch_shares(folder: Path, machine: str, inputs: int, channels: int, size: int) -> None:
    before = compiled(folder, heavy(inputs, channels, size), machine)
    found = finding(before, "larger_batch")
    batch = int(found.advice.partition("--batch-size ")[2].partition(")")[0])
    after = compiled(folder, heavy(inputs, channels, size), machine, batch)
    assert after.batch.actual_batch_size == batch
    recovered = per_sample(before) - per_sample(after)
    assert found.cycles is not None
    assert 0.5 <= found.cycles / recovered <= 1.5, (found.cycles, recovered)


def chain(net: FloatNet) -> str:
    return head(net, net.conv(net.conv(net.conv(net.input((16, 48, 48)), 32, 3), 32, 3), 32, 3))


def residual(net: FloatNet) -> str:
    start = net.conv(net.input((16, 40, 40)), 32, 3)
    return head(net, net.binary("Add", start, net.conv(net.conv(start, 32, 3), 32, 3)))


@pytest.mark.parametrize("build", [chain, residual])
def test_spilled_maps_cost_what_a_machine_with_room_for_them_saves(folder: Path, build: Build) -> None:
    tiny = Machine.load("tiny")
    before = compiled(folder, build, tiny, quads=1)
    roomy = replace(tiny, sram_bytes_per_quad=16 * tiny.sram_bytes_per_quad)
    after = compiled(folder, build, roomy, quads=1)
    assert all(not segment.spilled for segment in after.segments)
    assert_recovers(before, "spills", after)


@pytest.mark.parametrize("network", [mobilenet_v2, yolo_style])
def test_the_largest_finding_on_a_whole_network(folder: Path, network: Callable[[], onnx.ModelProto]) -> None:
    """The larger networks stand in tests/long/advice_on_networks.py."""
    model = Model.from_onnx(write_qdq(network(), 3, Style()), "whole")

    def built(batch: int) -> View:
        return view_of(model.compile(output_path=str(folder), batch_size=batch).archive)

    before = built(1)
    found = before.findings[0]
    assert found.kind == "larger_batch"
    recovered = per_sample(before) - per_sample(built(int(found.advice.split("--batch-size ")[1].split(")")[0])))
    assert found.cycles is not None
    assert 0.5 <= found.cycles / recovered <= 1.5, (found.cycles, recovered)


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
