"""Built documents against the grammar, the grammar against hand-written and broken documents, and the read view."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import pytest

from sima_compiler.archive.grammar import check_mpk, validate
from sima_compiler.archive.mpk import build_mpk, dump_mpk
from sima_compiler.archive.mpk_description import HostTensorDescription, MlaSegment, MpkDescription, TensorDescription
from sima_compiler.archive.mpk_document import MpkDocument
from sima_compiler.errors import InternalError, SchemaError


def ports(plugin: dict[str, Any], side: str) -> list[tuple[str, int]]:
    return [(node["name"], node["size"]) for node in plugin[f"{side}_nodes"]]


def ends(
    inputs: Sequence[TensorDescription], outputs: Sequence[TensorDescription]
) -> tuple[tuple[HostTensorDescription, ...], tuple[str, ...]]:
    """What the model takes and gives where its inputs and outputs are those of the MLA."""
    return tuple(tensor.real for tensor in inputs), tuple(tensor.name for tensor in outputs)


def classifier(batch: int = 1, desired: int = 1) -> MpkDescription:
    """One image in, 1000 classes out, as the vendor's own examples have them."""
    image = TensorDescription("input", (batch, 224, 224, 3), 1 / 53.59, -14, packed=True)
    classes = TensorDescription("output", (batch, 1, 1, 1000), 0.1376937627, -67)
    return MpkDescription(
        name="resnet50",
        model_path="resnet50.onnx",
        model_checksum="0" * 64,
        desired_batch_size=desired,
        actual_batch_size=batch,
        quads=4,
        inputs=(image.real,),
        outputs=(classes.name,),
        segments=(MlaSegment("MLA_0", "resnet50_stage1_mla.lm", (image,), (classes,)),),
    )


def several(inputs: int, outputs: int, batch: int) -> MpkDescription:
    """Packed tensors that share a buffer have whole 16-byte units per sample; one that is alone has what it has."""
    columns = 7 if inputs == 1 else 16
    ins = tuple(
        TensorDescription(f"in{i}", (batch, 5, columns, 3 + i), 0.02, i, packed=i % 2 == 0) for i in range(inputs)
    )
    outs = tuple(TensorDescription(f"out{i}", (batch, 2, 8, 9 + i), 0.3, -i, packed=i == 1) for i in range(outputs))
    return MpkDescription(
        "net", "net.onnx", "00", 16, batch, 2, *ends(ins, outs), (MlaSegment("MLA_0", "net_stage1_mla.lm", ins, outs),)
    )


def two_segments() -> MpkDescription:
    """MLA_0 -> MLA_1, where MLA_1 also reads a model input; a model tensor is called like a segment."""
    image = TensorDescription("quantize_0", (2, 8, 8, 3), 0.02, -14, packed=True)
    extra = TensorDescription("extra", (2, 1, 1, 5), 0.5, 0)
    middle = TensorDescription("middle", (2, 4, 4, 20), 0.1, 0)
    result = TensorDescription("MLA_0", (2, 1, 1, 7), 0.3, 0)
    return MpkDescription(
        "net", "net.onnx", "00", 2, 2, 4, *ends((image, extra), (result,)),
        (MlaSegment("MLA_0", "a.lm", (image,), (middle,)), MlaSegment("MLA_1", "b.lm", (middle, extra), (result,))),
    )  # fmt: skip


def test_a_classifier_is_described_as_the_vendor_describes_one() -> None:
    document = build_mpk(classifier())
    plugins = {plugin["name"]: plugin for plugin in document["plugins"]}
    tessellate = "tessellate_quantize_0_MLA_0/placeholder_0_0_tessellation_transform"
    detessellate = "detessellate_MLA_0_detessellation_transform"
    order = ["quantize_0", tessellate, "MLA_0", detessellate, "dequantize_1", "pass_through_0"]
    assert list(plugins) == order
    assert [plugin["sequence"] for plugin in plugins.values()] == [1, 2, 3, 4, 5, 6]
    assert [ports(plugins[name], "input") for name in order] == [
        [("input", 602112)],
        [("quantize_0", 150528)],
        [(tessellate, 150528)],
        [("MLA_0", 1008)],
        [(detessellate, 1000)],
        [("dequantize_1/output", 4000)],
    ]
    assert ports(plugins["pass_through_0"], "output") == [("output", 4000)]
    assert plugins["quantize_0"]["config_params"]["params"]["channel_params"] == [[pytest.approx(53.59), -14]]
    assert plugins["dequantize_1"]["config_params"]["params"]["channel_params"] == [[pytest.approx(7.2624930), -67]]
    assert plugins["MLA_0"]["resources"] == {"executable": "resnet50_stage1_mla.lm"}
    assert validate(document) == []


def test_sizes_shapes_and_batch_keys_cover_the_actual_batch() -> None:
    one, twelve = build_mpk(classifier()), build_mpk(classifier(12, 16))
    for small, large in zip(one["plugins"], twelve["plugins"], strict=True):
        for side in ("input", "output"):
            assert [(name, size * 12) for name, size in ports(small, side)] == ports(large, side)
        batches = (large["config_params"]["desired_batch_size"], large["config_params"]["actual_batch_size"])
        assert batches == ((16, 12) if large["processor"] == "MLA" else (12, 12))
        params = large["config_params"].get("params", {})
        assert all(shape[0] == 12 for key in ("input_shapes", "output_shapes") for shape in params.get(key, []))
    assert one["input_nodes"][0]["size"] * 12 == twelve["input_nodes"][0]["size"]


@pytest.mark.parametrize(("inputs", "outputs", "batch"), list(itertools.product((1, 2, 3), (1, 2, 4), (1, 3))))
def test_any_number_of_inputs_and_outputs_follows_the_grammar(inputs: int, outputs: int, batch: int) -> None:
    description = several(inputs, outputs, batch)
    document = build_mpk(description)
    assert validate(document) == []
    assert validate(json.loads(dump_mpk(document))) == []
    mla = next(plugin for plugin in document["plugins"] if plugin["processor"] == "MLA")
    assert len(mla["input_nodes"]) == len(mla["output_nodes"]) == 1
    assert [name for name, _ in ports(document["plugins"][-1], "output")] == list(description.outputs)
    segment = description.segments[0]
    assert isinstance(segment, MlaSegment)
    floats = [4 * prod(tensor.shape) for tensor in segment.outputs]
    assert [size for _, size in ports(document["plugins"][-1], "output")] == floats
    for tensors, offsets, nodes in (
        (segment.inputs, segment.input_offsets, mla["input_nodes"]),
        (segment.outputs, segment.output_offsets, mla["output_nodes"]),
    ):
        ends = [offset + tensor.mla_bytes for tensor, offset in zip(tensors, offsets, strict=True)]
        assert all(offset % 16 == 0 for offset in offsets)
        assert ends[:-1] == list(offsets[1:])
        assert ends[-1] == nodes[0]["size"]
        assert len(tensors) == 1 or all(tensor.mla_bytes % (16 * batch) == 0 for tensor in tensors)


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize(("batch", "columns"), [(1, 7), (2, 7), (16, 1), (3, 5), (4, 12)])
def test_a_shared_buffer_of_broken_units_is_a_bug_of_ours(side: str, batch: int, columns: int) -> None:
    """Sixteen samples of five bytes are five units together and none each: the units count per sample."""
    odd = tuple(TensorDescription(f"{side}{i}", (batch, 1, columns, 5), 0.1, 0, packed=True) for i in range(2))
    one = (TensorDescription("one", (batch, 1, columns, 5), 0.1, 0, packed=True),)
    ins, outs = (odd, one) if side == "input" else (one, odd)
    segment = MlaSegment("MLA_0", "a.lm", ins, outs)
    with pytest.raises(InternalError, match="16-byte units"):
        build_mpk(MpkDescription("n", "n.onnx", "0", batch, batch, 4, *ends(ins, outs), (segment,)))


SHARED = [
    ("unpack", "output_nodes.0.size", 159, "does not make"),
    ("unpack", "input_nodes.0.size", 1000, "the buffer has 1000"),
    ("unpack", "config_params.params.tensor_types", ["int8", "float32"], "does not make"),
    ("unpack", "config_params.params.tensor_types", ["int8"], "one item per output"),
    ("unpack", "config_params.params.tensor_shapes", [[3, 160], [3, 16]], "repeat output_shapes"),
    ("pack", "output_nodes.0.size", 1000, "aligned to 16"),
    ("pack", "input_nodes.1.size", 961, "multiple of 16 per sample"),
    ("unpack", "output_nodes.1.size", 481, "multiple of 16 per sample"),
    ("unpack", "output_nodes.1.size", 496, "multiple of 16 per sample"),
    ("pack", "input_nodes.0.size", 736, "multiple of 16 per sample"),
]


@pytest.mark.parametrize(("kernel", "path", "value", "words"), SHARED, ids=str)
def test_each_broken_rule_of_a_shared_buffer_is_named(kernel: str, path: str, value: Any, words: str) -> None:
    document = build_mpk(several(2, 2, 3))
    plugin = next(p for p in document["plugins"] if p["config_params"].get("kernel") == f"{kernel}_transform")
    set_at(plugin, path, value)
    found = validate(document)
    assert any(words in sentence for sentence in found), found


def test_segments_hand_tensors_on_and_names_never_collide() -> None:
    document = build_mpk(two_segments())
    assert validate(document) == []
    plugins = {plugin["name"]: plugin for plugin in document["plugins"]}
    assert ports(plugins["MLA_0"], "output") == [("MLA_0/output", 2 * 4 * 4 * 32)]
    assert ports(plugins["pack_MLA_1"], "input")[0] == ("MLA_0/output", 1024)
    assert ports(document["plugins"][-1], "output") == [("MLA_0", 56)]
    assert ports(document["plugins"][0], "input") == [("quantize_0", 2 * 8 * 8 * 3 * 4)]


def test_text_is_the_same_every_time_and_reads_back() -> None:
    text = dump_mpk(build_mpk(classifier(12, 16)))
    assert text == dump_mpk(build_mpk(classifier(12, 16)))
    document = MpkDocument.parse(text)
    assert document.model_sdk_version == "2.1.0"
    assert document.processors == {"EV74": 5, "MLA": 1}
    mla = document.plugins[2]
    assert (mla.name, mla.processor, mla.sequence, mla.kernel) == ("MLA_0", "MLA", 3, "")
    assert (mla.desired_batch_size, mla.actual_batch_size, mla.executable) == (16, 12, "resnet50_stage1_mla.lm")
    assert document.plugins[0].kernel == "quantization_transform"
    assert (document.plugins[0].inputs[0].name, document.plugins[0].inputs[0].size) == ("input", 12 * 602112)


def test_plugins_are_read_in_the_order_of_their_sequence() -> None:
    document = build_mpk(classifier())
    document["plugins"].reverse()
    assert validate(document) == []
    assert [plugin.sequence for plugin in MpkDocument.parse(dump_mpk(document)).plugins] == [1, 2, 3, 4, 5, 6]


def test_descriptions_that_contradict_themselves_are_bugs_of_ours() -> None:
    good = classifier()
    segment = good.segments[0]
    assert isinstance(segment, MlaSegment)
    image, classes = segment.inputs[0], segment.outputs[0]
    orphan = TensorDescription("orphan", (1, 1, 1, 1), 1.0, 0)
    base = ("n", "n.onnx", "0")
    for broken, words in (
        (MpkDescription(*base, 1, 2, 4, *ends((image,), (classes,)), (segment,)), "actual batch 2"),
        (MpkDescription(*base, 1, 1, 4, *ends((image,), (orphan,)), (segment,)), "produces orphan"),
        (MpkDescription(*base, 1, 1, 4, *ends((orphan,), (classes,)), (segment,)), "nothing produces input"),
        (MpkDescription(*base, 1, 1, 4, *ends((image,), (image,)), (segment,)), "share a name"),
        (MpkDescription(*base, 2, 2, 4, *ends((image,), (classes,)), (segment,)), "input of shape"),
        (MpkDescription(*base, 1, 1, 4, *ends((image,), (classes,)), ()), "needs inputs, segments"),
    ):
        with pytest.raises(InternalError, match=words):
            build_mpk(broken)


def vendor_style() -> dict[str, Any]:
    """A hand-written document with casts, an A65 step between two MLA steps, and typed values."""

    def step(name: str, processor: str, config: dict[str, Any], source: int, target: int, file: str) -> dict[str, Any]:
        return {"name": name, "processor": processor, "type": "sgpProcess", "config_params": config,
                "input_nodes": [{"size": source}], "output_nodes": [{"type": "buffer", "size": target}],
                "resources": {"executable": file}}  # fmt: skip

    shape = [1, 8, 8, 16]
    typed = {"input_types": [{"scalar": "bfloat16", "shape": shape}],
             "output_types": [{"scalar": "bfloat16", "shape": shape}]}  # fmt: skip
    shapes = {"input_shapes": [shape], "output_shapes": [shape]}
    mla = {"desired_batch_size": 1, "actual_batch_size": 1, "number_of_quads_to_user": 4}
    ev74 = {"desired_batch_size": 1, "actual_batch_size": 1}
    narrow = {**ev74, "kernel": "cast_transform", "params": {"out_dtype": "bfloat16", **shapes}}
    widen = {**ev74, "kernel": "cast_transform", "params": {"out_dtype": "float32", **shapes}}
    plugins = [
        step("cast_0", "EV74", narrow, 4096, 2048, "kernel_name_tbd"),
        step("MLA_0", "MLA", {**mla, **typed}, 2048, 2048, "net_stage1_mla.elf"),
        step("APU_1", "A65", {"input_names": ["x"], **typed}, 2048, 2048, "net_stage2_a65.so"),
        step("MLA_2", "MLA", {**mla, **typed}, 2048, 2048, "net_stage3_mla.elf"),
        step("cast_3", "EV74", widen, 2048, 4096, "kernel_name_tbd"),
        step("pass_4", "EV74", {**ev74, "kernel": "pass_through", "params": {}}, 4096, 4096, "kernel_name_tbd"),
    ]
    for number, plugin in enumerate(plugins, 1):
        plugin["sequence"] = number
        plugin["input_nodes"][0]["name"] = "input" if number == 1 else f"t{number - 1}"
        plugin["output_nodes"][0]["name"] = f"t{number}"
    return {"name": "net", "model_path": "net.onnx", "model_checksum": "0", "model_sdk_version": "2.1.0",
            "input_nodes": [{"name": "input", "type": "buffer", "size": 4096}], "plugins": plugins}  # fmt: skip


def test_a_hand_written_document_of_the_vendors_shape_is_valid() -> None:
    assert validate(vendor_style()) == []
    check_mpk(vendor_style())


def set_at(document: Any, path: str, value: Any) -> None:
    """Replaces the value at a dotted path; a value of ... deletes the key."""
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        document = document[part]
    if value is ...:
        del document[last]
    else:
        document[last] = value


PARAMS = "config_params.params"
BREAKS: list[tuple[str, Any, str]] = [
    ("model_sdk_version", "1.6.0", "model_sdk_version"),
    ("model_path", "/home/me/net.onnx", "base name"),
    ("model_checksum", ..., "model_checksum"),
    ("execution_contract", {}, "execution_contract"),
    ("input_nodes.0.type", "tensor", "'buffer'"),
    ("input_nodes.0.size", 602113, "which has 602113"),
    ("plugins", [], "at least one"),
    ("plugins.0.name", "MLA_0", "appears twice"),
    ("plugins.1.sequence", 7, "without gaps"),
    ("plugins.1.sequence", 1, "without gaps"),
    ("plugins.2.processor", "DSP", "processor"),
    ("plugins.2.type", "process", "sgpProcess"),
    ("plugins.2.resources.executable", "../net.lm", "executable"),
    ("plugins.2.resources.executable", "net.bin", "executable"),
    ("plugins.0.resources.executable", "kernel.so", "placeholder"),
    ("plugins.2.resources", ..., "missing resources"),
    ("plugins.2.config_params.extra", 1, "exactly"),
    ("plugins.2.config_params.input_types", [], "both or neither"),
    ("plugins.2.config_params.actual_batch_size", 2, "must not exceed"),
    ("plugins.0.config_params.desired_batch_size", 2, "same positive number"),
    ("plugins.0.config_params.kernel", "warp_transform", "unknown kernel"),
    (f"plugins.0.{PARAMS}.extra", 1, "exactly"),
    (f"plugins.0.{PARAMS}.num_bits", 16, "num_bits"),
    (f"plugins.0.{PARAMS}.rounding", "UPWARD", "rounding"),
    (f"plugins.0.{PARAMS}.output_data_type", "uint8", "output_data_type"),
    (f"plugins.0.{PARAMS}.channel_params", [[0.0, 1]], "positive scale"),
    (f"plugins.0.{PARAMS}.channel_params", [[1.0, 128]], "zero point"),
    (f"plugins.0.{PARAMS}.channel_params", [[1.0, 1]] * 2, "one per channel"),
    (f"plugins.0.{PARAMS}.input_shapes", [[1, 224, 224, 4]], "same"),
    (f"plugins.1.{PARAMS}.slice_shape", [225, 32, 3], "exceeds"),
    (f"plugins.1.{PARAMS}.align_c16", True, "tessellated"),
    (f"plugins.1.{PARAMS}.output_shapes", [[150528]], "bytes per sample"),
    (f"plugins.3.{PARAMS}.cblock", ..., "exactly"),
    (f"plugins.3.{PARAMS}.slice_shape", [1, 1, 10], "channels"),
    (f"plugins.3.{PARAMS}.frame_shape", [1, 1, 1, 999], "frame_shape"),
    (f"plugins.3.{PARAMS}.align_c16", False, "tessellated"),
    (f"plugins.4.{PARAMS}.input_data_type", "int16", "input_data_type"),
    ("plugins.4.output_nodes.0.size", 4004, "4004"),
    ("plugins.4.input_nodes.0.name", "nowhere", "no earlier plugin"),
    ("plugins.4.output_nodes.0.name", "MLA_0", "is taken"),
    ("plugins.5.config_params.params", {"x": 1}, "must be exactly empty"),
    ("plugins.5.output_nodes.0.size", 8, "must be the same"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "words"), BREAKS, ids=lambda item: str(item)[:40])
def test_each_broken_rule_is_named(path: str, value: Any, words: str) -> None:
    document = build_mpk(classifier())
    set_at(document, path, value)
    found = validate(document)
    assert any(words in sentence for sentence in found), found
    with pytest.raises(SchemaError):
        check_mpk(document, entry="x_mpk.json")


def test_pass_through_comes_once_and_last() -> None:
    document = build_mpk(classifier())
    kernel = {"desired_batch_size": 1, "actual_batch_size": 1, "kernel": "pass_through", "params": {}}
    extra = copy.deepcopy(document["plugins"][-1]) | {"name": "again", "sequence": 7, "config_params": kernel}
    extra["input_nodes"][0]["name"] = "output"
    extra["output_nodes"][0]["name"] = "output2"
    document["plugins"].append(extra)
    assert any("pass_through must be the last" in sentence for sentence in validate(document))


def test_a_bare_mla_output_at_the_end_is_refused_unless_typed() -> None:
    document = vendor_style()
    document["plugins"] = document["plugins"][:4]
    assert validate(document) == []
    for key in ("input_types", "output_types"):
        del document["plugins"][3]["config_params"][key]
    assert any("needs a detessellation" in sentence for sentence in validate(document))


def test_an_old_grammar_version_has_no_a65() -> None:
    document = vendor_style() | {"model_sdk_version": "2.0.0"}
    assert any("needs model_sdk_version 2.1.0" in sentence for sentence in validate(document))
    assert validate(build_mpk(classifier()) | {"model_sdk_version": "2.0.0"}) == []


@pytest.mark.parametrize("size", [2**53, 10**30])
def test_counts_beyond_any_size_read_as_absent(size: int) -> None:
    document = build_mpk(classifier())
    set_at(document, "plugins.0.output_nodes.0.size", size)
    set_at(document, "plugins.2.config_params.actual_batch_size", size)
    read = MpkDocument.parse(json.dumps(document).encode())
    assert (read.plugins[0].outputs[0].size, read.plugins[2].actual_batch_size) == (None, None)
    assert read.raw["plugins"][0]["output_nodes"][0]["size"] == size
    assert validate(document)


def places(value: Any, path: str = "") -> Iterator[str]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield f"{path}{key}"
        yield from places(child, f"{path}{key}.")


@pytest.mark.parametrize("seed", range(3))
def test_no_document_makes_the_validator_raise(seed: int) -> None:
    """Every place of three documents in turn replaced by a value of every kind; answers are lists, never exceptions."""
    source = random.Random(seed)
    for document in (build_mpk(several(2, 2, 3)), vendor_style(), build_mpk(classifier())):
        for path in places(document):
            broken = copy.deepcopy(document)
            set_at(broken, path, source.choice([None, True, 0, -1, 2.5, 10**30, "", "x", [], [[]], [1], {}, {"a": 1}]))
            assert isinstance(validate(broken), list)
            with contextlib.suppress(SchemaError):
                MpkDocument.parse(json.dumps(broken).encode())
    assert [bool(validate(nothing)) for nothing in (3, [], {})] == [True] * 3
