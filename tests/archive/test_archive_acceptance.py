"""What the vendor's loader and strict decoder would refuse: each rule broken once, by hand, and named alone."""

from __future__ import annotations

import copy
import gzip
import json
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sima_compiler.archive.acceptance import BINARY_RULES, LOADER_RULES, accepts, check_archive
from sima_compiler.archive.grammar import DOCUMENT_RULES, FORM_RULES, validate
from sima_compiler.archive.rule import Verdict
from sima_compiler.archive.rules_page import page
from sima_compiler.errors import SchemaError, UnsupportedVersionError
from tests.archive.archive_samples import described, header, newer_vendor_members, tar_bytes, write_gz, written

PARAMS = "config_params.params"


def set_at(document: Any, path: str, value: Any) -> None:
    """Replaces the value at a dotted path; a value of ... deletes the key."""
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        document = document[part]
    if value is ...:
        del document[last]
    else:
        document[last] = value


def broken(path: Path) -> dict[str, tuple[str, ...]]:
    found = check_archive(path)
    every = (*found.loader, *found.decoder, *found.form)
    return {outcome.rule: outcome.findings for outcome in every if outcome.verdict is Verdict.BROKEN}


def test_an_archive_of_the_published_form_meets_no_public_rule(tmp_path: Path) -> None:
    found = check_archive(written(tmp_path, described()))
    assert accepts(found.loader)
    assert accepts(found.decoder)
    assert accepts(found.form)
    assert [outcome.rule for outcome in found.loader] == [rule.key for rule in LOADER_RULES]
    assert [outcome.rule for outcome in found.decoder] == [rule.key for rule in (*DOCUMENT_RULES, *BINARY_RULES)]
    assert [outcome.rule for outcome in found.form] == [rule.key for rule in FORM_RULES]


def index_of(kernel: str) -> int:
    plugins = described()["plugins"]
    return next(i for i, plugin in enumerate(plugins) if plugin["config_params"].get("kernel") == kernel)


MLA = next(i for i, plugin in enumerate(described()["plugins"]) if plugin["processor"] == "MLA")
QUANTIZE, TESSELLATE = index_of("quantization_transform"), index_of("tessellation_transform")
PACK, UNPACK, LAST = index_of("pack_transform"), index_of("unpack_transform"), index_of("pass_through")
DETESSELLATE, DEQUANTIZE = index_of("detessellation_transform"), index_of("dequantization_transform")

#: (path, value, the one rule that breaks, words of the finding)
BREAKS: list[tuple[str, Any, str, str]] = [
    ("execution_contract", {}, "one_authority", "absent"),
    ("model_sdk_version", "1.6.0", "version", "2.0.0"),
    ("model_sdk_version", ..., "version", "2.1.0"),
    ("input_nodes.0.size", 0, "inputs", "positive size"),
    ("input_nodes.0.name", "", "inputs", "needs a name"),
    ("input_nodes", [], "inputs", "at least one"),
    (f"plugins.{MLA}.type", "process", "shape", "sgpProcess"),
    (f"plugins.{MLA}.processor", "DSP", "shape", "processor"),
    (f"plugins.{PACK}.output_nodes", [], "shape", "at least one node"),
    (f"plugins.{LAST}.sequence", 0, "shape", "sequence"),
    (f"plugins.{MLA}.resources", ..., "executable", "missing resources"),
    (f"plugins.{MLA}.resources.executable", "", "executable", "text"),
    (f"plugins.{MLA}.config_params.extra", 1, "config", "exactly"),
    (f"plugins.{MLA}.config_params.output_types", [], "config", "both or neither"),
    (f"plugins.{MLA}.config_params.number_of_quads_to_user", 0, "config", "positive"),
    (f"plugins.{PACK}.config_params.desired_batch_size", 3, "config", "same positive number"),
    (f"plugins.{PACK}.config_params.kernel", "warp", "kernels", "unknown kernel"),
    (f"plugins.{QUANTIZE}.{PARAMS}.rounding", "UPWARD", "kernels", "rounding"),
    (f"plugins.{TESSELLATE}.{PARAMS}.frame_type", "int16", "kernels", "bfloat16"),
    (f"plugins.{DETESSELLATE}.{PARAMS}.align_c16", False, "kernels", "tessellated"),
    (f"plugins.{DEQUANTIZE}.{PARAMS}.channel_params", [], "kernels", "one pair"),
    (f"plugins.{UNPACK}.{PARAMS}.tensor_types", ["int8", "float32"], "kernels", "does not make"),
    (f"plugins.{UNPACK}.{PARAMS}.tensor_shapes", [[2, 16], [2, 64]], "kernels", "repeat"),
    (f"plugins.{LAST}.name", "MLA_0", "names", "twice"),
    (f"plugins.{LAST}.sequence", 99, "sequence", "without gaps"),
    (f"plugins.{MLA}.input_nodes.0.name", "nowhere", "links", "no earlier plugin"),
    (f"plugins.{MLA}.input_nodes.0.size", 7, "links", "reads 7 bytes"),
    (f"plugins.{MLA}.config_params.desired_batch_size", 16, "mla_batches", "desired 16, actual 2"),
    ("model_path", "/home/me/net.onnx", "head", "base name"),
    ("model_checksum", ..., "head", "model_checksum"),
    ("input_nodes.0.type", "tensor", "input_types", "'buffer'"),
    (f"plugins.{PACK}.output_nodes.0.type", ..., "form", "'buffer'"),
    (f"plugins.{PACK}.resources.executable", "kernel.so", "form", "placeholder"),
    (f"plugins.{PACK}.resources", ..., "form", "placeholder"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "rule", "words"), BREAKS, ids=lambda item: str(item)[:50])
def test_each_rule_is_broken_alone(tmp_path: Path, path: str, value: Any, rule: str, words: str) -> None:
    document = described()
    set_at(document, path, value)
    found = broken(written(tmp_path, document))
    # a buffer that is renamed or cut is also left unread, an executable that is not named is also not there
    assert found.keys() - {"everything_is_read", "executables"} == {rule}
    assert any(words in finding for finding in found[rule]), found


def test_rules_that_rely_on_a_broken_one_are_not_checked(tmp_path: Path) -> None:
    document = described()
    document["plugins"][MLA]["processor"] = "DSP"
    verdicts = {outcome.rule: outcome.verdict for outcome in check_archive(written(tmp_path, document)).decoder}
    assert verdicts["shape"] is Verdict.BROKEN
    for rule in ("config", "kernels", "links", "ends", "mla_batches", "everything_is_read"):
        assert verdicts[rule] is Verdict.NOT_CHECKED
    assert verdicts["version"] is Verdict.KEPT


def test_a_second_pass_through_and_a_bare_output_are_named(tmp_path: Path) -> None:
    document = described()
    again = copy.deepcopy(document["plugins"][LAST]) | {"name": "again", "sequence": LAST + 2}
    again["input_nodes"] = copy.deepcopy(document["plugins"][LAST]["output_nodes"])
    for node in again["output_nodes"]:
        node["name"] += "/again"
    document["plugins"].append(again)
    assert broken(written(tmp_path, document)).keys() == {"pass_through"}
    bare = described()
    bare["plugins"] = bare["plugins"][: MLA + 1]
    assert broken(written(tmp_path, bare)).keys() == {"ends"}


def test_unread_buffers_and_outputs_without_an_order_are_named(tmp_path: Path) -> None:
    document = described()
    document["input_nodes"].append({"name": "spare", "type": "buffer", "size": 4})
    assert broken(written(tmp_path, document)) == {
        "everything_is_read": ("the model input 'spare' is read by no plugin",)
    }
    document = described()
    del document["plugins"][LAST]
    assert "2 buffers end the pipeline" in broken(written(tmp_path, document))["everything_is_read"][0]
    document = described()
    for side in ("input_nodes", "output_nodes"):
        del document["plugins"][LAST][side][1]
    assert broken(written(tmp_path, document))["everything_is_read"] == (
        "'dequantize_3/output' is neither read nor handed out",
    )


def test_steps_of_the_newer_grammar_need_its_version(tmp_path: Path) -> None:
    document = described()
    document["model_sdk_version"] = "2.0.0"
    assert broken(written(tmp_path, document)) == {}
    last = document["plugins"][LAST]
    shapes = [[2, node["size"] // 2] for node in last["input_nodes"]]
    last["config_params"] |= {
        "kernel": "batch_flatten_transform",
        "params": {"input_shapes": shapes, "output_shapes": shapes},
    }
    assert "newer_steps" in broken(written(tmp_path, document))


@pytest.mark.parametrize("binary", [b"", b"SIMALM", b"\x7fEL", b"ELF\x7f", bytes(64)])
def test_a_binary_that_is_no_elf_is_named(tmp_path: Path, binary: bytes) -> None:
    assert broken(written(tmp_path, described(), binary)) == {
        "elf_tables": ("MLA_0: net_stage1_mla.elf is no ELF file",)
    }


def test_our_own_binaries_and_missing_ones_are_named(tmp_path: Path) -> None:
    document = described()
    document["plugins"][MLA]["resources"]["executable"] = "net_stage1_mla.lm"
    members = [("net_mpk.json", json.dumps(document).encode()), ("net_stage1_mla.lm", b"ours")]
    path = write_gz(tmp_path, tar_bytes([(header(name), data) for name, data in members]))
    assert broken(path).keys() == {"board_binary", "elf_tables"}
    path = write_gz(tmp_path, tar_bytes([(header("net_mpk.json"), json.dumps(document).encode())]))
    found = broken(path)
    assert found["executables"] == ("MLA_0: net_stage1_mla.lm is not in the archive",)
    assert found["board_binary"] == ("there is no binary for the MLA",)


def test_a_document_without_an_mla_plugin_is_named(tmp_path: Path) -> None:
    document = described()
    document["plugins"] = document["plugins"][:1]
    assert broken(written(tmp_path, document)).keys() >= {"has_mla"}


@pytest.mark.parametrize("name", ["net.tgz", "net_mpk.tar (1).gz", "net", "NET_MPK.TAR.GZ"])
def test_names_that_only_we_open_are_named(tmp_path: Path, name: str) -> None:
    assert broken(written(tmp_path, described(), name=name)) == {"file_name": (f"the file is called {name!r}",)}


CONTAINERS: dict[str, tuple[bytes, str]] = {
    "no gzip": (b"plain", "container"),
    "cut": (gzip.compress(tar_bytes([(header("net_mpk.json"), b"{}")]))[:-9], "container"),
    "garbage": (gzip.compress(tar_bytes([(header("net_mpk.json"), b"{}")])) + b"x", "container"),
    "climbs": (gzip.compress(tar_bytes([(header("../net_mpk.json"), b"{}")])), "container"),
    "link": (gzip.compress(tar_bytes([(header("net_mpk.json", kind=tarfile.SYMTYPE), b"")])), "container"),
    "no document": (gzip.compress(tar_bytes([(header("net.json"), b"{}")])), "container"),
    "no json": (gzip.compress(tar_bytes([(header("net_mpk.json"), b"{")])), "document"),
    "key twice": (gzip.compress(tar_bytes([(header("net_mpk.json"), b'{"plugins": [], "plugins": []}')])), "document"),
    "wrong kind": (gzip.compress(tar_bytes([(header("net_mpk.json"), b'{"plugins": 3}')])), "document"),
}


@pytest.mark.parametrize("case", CONTAINERS)
def test_what_our_own_reader_refuses_is_a_broken_rule_of_the_loader(tmp_path: Path, case: str) -> None:
    data, rule = CONTAINERS[case]
    path = tmp_path / "net_mpk.tar.gz"
    path.write_bytes(data)
    assert broken(path).keys() == {rule}
    found = check_archive(path)
    assert {outcome.verdict for outcome in (*found.decoder, *found.form)} == {Verdict.NOT_CHECKED}


def test_a_report_of_ours_that_cannot_be_read_is_our_error(tmp_path: Path) -> None:
    members = [("net_mpk.json", json.dumps(described()).encode()), ("net_compile_report.json", b"[]")]
    path = write_gz(tmp_path, tar_bytes([(header(name), data) for name, data in members]))
    with pytest.raises((SchemaError, UnsupportedVersionError), match="compile_report"):
        check_archive(path)


def test_a_newer_sdks_archive_is_told_what_the_decoder_does_not_know(tmp_path: Path) -> None:
    members = [(header(name), data) for name, data in newer_vendor_members()]
    found = broken(write_gz(tmp_path, tar_bytes(members)))
    assert found == {"shape": ("plugins[3]: processor must be one of EV74, MLA, A65",)}


def test_the_committed_page_is_printed_from_the_rules() -> None:
    committed = (Path(__file__).parents[2] / "docs" / "archive-rules.md").read_text("utf-8")
    assert committed == page(), "run: python -m sima_compiler.archive.rules_page > docs/archive-rules.md"
    for rule in (*LOADER_RULES, *DOCUMENT_RULES, *BINARY_RULES, *FORM_RULES):
        assert committed.count(f"| `{rule.key}` | {rule.sentence} |") == 1


def places(value: Any, path: str = "") -> Iterator[str]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield f"{path}{key}"
        yield from places(child, f"{path}{key}.")


@pytest.mark.parametrize("seed", range(2))
def test_no_document_makes_a_rule_raise(tmp_path: Path, seed: int) -> None:
    """Every place of a document in turn replaced by a value of another kind: findings, never an exception."""
    source = random.Random(seed)
    values: list[Any] = [None, True, 0, -1, 2.5, 10**30, "", "MLA", "EV74", [], [[]], [1], {}, {"a": 1}, [{}], ...]
    paths = list(places(described()))
    for path in source.sample(paths, 150):
        document = described()
        set_at(document, path, source.choice(values))
        found = check_archive(written(tmp_path, document))
        kept = accepts(found.loader) and accepts(found.decoder) and accepts(found.form)
        assert kept == (not broken(written(tmp_path, document)))


def test_keys_are_unique_and_needs_are_rules_that_stand_before() -> None:
    seen: list[str] = []
    for rule in (*LOADER_RULES, *DOCUMENT_RULES, *BINARY_RULES, *FORM_RULES):
        assert rule.key not in seen
        assert set(rule.needs) <= set(seen)
        assert rule.sentence.endswith(".")
        seen.append(rule.key)
    assert validate(described()) == []
