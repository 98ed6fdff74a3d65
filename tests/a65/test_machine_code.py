"""The `.so` of a host segment: its machine code against numpy, its bytes, what it carries, what it offers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from sima_compiler.a65 import build, toolchain
from sima_compiler.a65.native import run_native
from sima_compiler.a65.source import source_of
from sima_compiler.archive.elf import read_elf
from sima_compiler.archive.host_segments import read_onnx, read_segment, read_source
from sima_compiler.errors import ArchiveError, HostError, InternalError, InvalidArchiveError, MissingExtraError
from sima_compiler.ir.host import Dtype, HostNode, HostSegment, HostTensor
from sima_compiler.ir.host_bytes import to_bytes
from sima_compiler.sim.host import run
from tests.support.host_cases import Case, all_cases, joined
from tests.support.random_host_segments import random_segment

F = Dtype.FLOAT32
#: Random segments beside the cases of single operators.
RANDOM = 40
TAIL = HostSegment(
    name="tail",
    inputs=(HostTensor("logits", (2, 5), F),),
    outputs=(HostTensor("probabilities", (2, 5), F), HostTensor("best", (2,), Dtype.INT64)),
    nodes=(
        HostNode("Mul", ("logits", "scale"), ("scaled",), source="head */ \\ scale"),
        HostNode("Softmax", ("scaled",), ("probabilities",), {"axis": -1}),
        HostNode("ArgMax", ("probabilities",), ("best",), {"axis": 1, "keepdims": 0}),
    ),
    constants={"scale": np.array(0.5, np.float32)},
)


@pytest.fixture(scope="module")
def tail() -> bytes:
    return build(TAIL)


def differences(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> list[str]:
    """Tensors of which some bits differ; one NaN is as good as another."""
    names: list[str] = []
    for name, value in wanted.items():
        one, other = np.atleast_1d(found[name]), np.atleast_1d(value)
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        same = one == other
        if one.dtype == np.float32:
            same = (one.view(np.int32) == other.view(np.int32)) | (np.isnan(one) & np.isnan(other))
        if not same.all():
            names.append(name)
    return names


def everything() -> tuple[list[Case], HostSegment, dict[str, np.ndarray]]:
    """Every kernel, and random segments whose tensors take each other's places: all in one segment."""
    cases = [*all_cases(), *(Case(f"random {seed}", *random_segment(seed)) for seed in range(RANDOM))]
    return cases, *joined(cases)


@pytest.mark.needs_qemu_aarch64
def test_machine_code_gives_the_bits_that_numpy_gives() -> None:
    cases, segment, inputs = everything()
    wrong = differences(run_native(build(segment), segment, inputs), run(segment, inputs))
    assert not wrong, [cases[int(name.partition("/")[0])].name for name in wrong]


@pytest.mark.needs_qemu_aarch64
def test_no_kernel_does_what_c_leaves_undefined() -> None:
    """The same C with a trap wherever the sanitizer sees undefined behaviour; it would end with a signal."""
    _, segment, inputs = everything()
    target = [flag for flag in toolchain.TARGET if flag != "-O3"]
    trapping = ("-O0", "-fsanitize=undefined,bounds,float-cast-overflow", "-fsanitize-trap=all")
    command = (*toolchain.SHARED, *target, *trapping, "-fPIC", "-shared", "segment.c")
    library = toolchain.compile_c(source_of(segment).files, command, "segment.so")
    assert not differences(run_native(library, segment, inputs), run(segment, inputs))


@pytest.mark.needs_qemu_aarch64
@pytest.mark.parametrize(
    "fault",
    [
        "volatile int most = 2147483647; return most + 1 == 0;",
        "volatile float far = 1e30f; return (int)far == 0;",
        "volatile int64_t end = 10; return ((volatile float *)out0)[end] == 1.0f;",
        "volatile int64_t end = 10; ((volatile float *)inputs[0])[end] = 1.0f;",
        "volatile int64_t end = 2; out1[end] = 0;",
    ],
)
def test_what_is_undefined_ends_the_run(fault: str) -> None:
    """The sanitizer's traps, and the pages behind every buffer."""
    source = source_of(TAIL)
    text = source.text.replace("return 0;", f"{fault} return 0;")
    command = (
        *toolchain.SHARED,
        *toolchain.TARGET,
        "-O0",
        "-fsanitize=undefined,float-cast-overflow",
        "-fsanitize-trap=all",
    )
    files = {**source.files, "segment.c": text.encode()}
    library = toolchain.compile_c(files, (*command, "-fPIC", "-shared", "segment.c"), "segment.so")
    with pytest.raises(HostError, match="did not run"):
        run_native(library, TAIL, {"logits": np.zeros((2, 5), np.float32)})


def test_the_same_segment_gives_the_same_bytes_anywhere(tail: bytes, tmp_path: Path) -> None:
    script = "import sys; from tests.a65.test_machine_code import TAIL, build; sys.stdout.buffer.write(build(TAIL))"
    other = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C"}
    found = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=other, capture_output=True)
    assert found.returncode == 0, found.stderr.decode()
    assert found.stdout == tail


def test_the_library_offers_what_its_header_says_and_needs_nothing(tail: bytes) -> None:
    found = read_elf(tail)
    assert found.machine == "AArch64"
    assert sorted((symbol.name, symbol.kind) for symbol in found.symbols) == [
        ("sima_host_onnx", "object"),
        ("sima_host_run", "function"),
        ("sima_host_segment", "object"),
        ("sima_host_source", "object"),
        ("sima_host_version", "object"),
        ("sima_host_workspace_bytes", "object"),
    ]
    assert all(symbol.is_defined for symbol in found.symbols)
    assert str(Path.cwd()).encode() not in tail
    assert b"/tmp" not in tail


def test_the_library_carries_its_segment_twice(tail: bytes) -> None:
    assert to_bytes(read_segment(tail, "tail.so")) == to_bytes(TAIL)
    model = onnx.load_from_string(read_onnx(tail, "tail.so"))
    onnx.checker.check_model(model)
    logits = np.random.default_rng(0).standard_normal((2, 5)).astype(np.float32)
    wanted = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"logits": logits})
    found = run(read_segment(tail, "tail.so"), {"logits": logits})
    assert np.allclose(found["probabilities"], wanted[0], rtol=0, atol=1e-6)
    assert np.array_equal(found["best"], wanted[1])


def test_the_library_carries_the_text_that_it_was_built_from(tail: bytes) -> None:
    assert read_source(tail, "tail.so") == source_of(TAIL).text
    assert read_source(tail.replace(b".sima.source", b".other_thing"), "tail.so") is None


def test_a_library_of_another_compiler_is_refused_and_a_damaged_one_named(tail: bytes) -> None:
    with pytest.raises(ArchiveError, match=r"x\.so: it carries no segment"):
        read_segment(tail.replace(b".sima.segment", b".other_things"), "x.so")
    with pytest.raises(InvalidArchiveError, match=r"x\.so: .*damaged"):
        read_segment(tail.replace(b'"axis":["int",-1]', b'"axis":["int",x1]'), "x.so")
    with pytest.raises(InvalidArchiveError, match="axis 9 of 2 axes"):
        read_segment(tail.replace(b'"axis":["int",-1]', b'"axis":["int",09]'.replace(b"09", b" 9")), "x.so")
    for end in range(0, len(tail), 97):
        with pytest.raises(ArchiveError):
            read_segment(tail[:end], "x.so")


def test_without_the_cross_compiler_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_MODULE", "ziglang_that_is_not_there")
    with pytest.raises(MissingExtraError, match="cross compiler") as caught:
        build(TAIL)
    assert caught.value.hint == 'pip install "sima-nb[a65]"'


def test_what_the_cross_compiler_refuses_is_our_bug() -> None:
    with pytest.raises(InternalError, match="refused the code"):
        toolchain.compile_c({"a.c": b"int x = y;"}, ("-c", "a.c"), "a.o")


def test_the_source_reads_like_the_segment() -> None:
    text = source_of(TAIL).text
    assert "// logits, 2x5" in text
    assert "sima_softmax(t0, out0, 2, 5, 1, 0);" in text
    assert "// Mul head */ / scale" in text, "a name ends no comment and continues no line"
    assert source_of(TAIL).text == text
