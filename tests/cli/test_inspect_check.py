"""`simac inspect --check`: the rules in text and JSON."""

from __future__ import annotations

from pathlib import Path

from tests.archive.archive_samples import described, written

PLUGINS = described()["plugins"]
MLA = next(i for i, plugin in enumerate(PLUGINS) if plugin["processor"] == "MLA")
PACK = next(i for i, plugin in enumerate(PLUGINS) if plugin["config_params"].get("kernel") == "pack_transform")


def test_the_command_says_it_in_text_and_json(simac, tmp_path: Path) -> None:
    document = described()
    document["plugins"][MLA]["config_params"]["desired_batch_size"] = 16
    document["plugins"][PACK]["config_params"]["kernel"] = "\x1b[31mred\n"
    path = written(tmp_path, document)
    done = simac("inspect", path, "--check", "--json")
    assert done.code == 0
    data = done.json
    assert {name: data[name]["accepts"] for name in ("loader", "decoder", "form")} == {
        "loader": True,
        "decoder": False,
        "form": True,
    }
    rules = {rule["rule"]: rule for rule in data["decoder"]["rules"]}
    assert rules["mla_batches"]["verdict"] == "broken"
    assert rules["mla_batches"]["findings"] == ["MLA_0: desired 16, actual 2"]
    assert rules["version"] == {
        "rule": "version",
        "sentence": "model_sdk_version is 2.0.0 or 2.1.0.",
        "verdict": "kept",
        "findings": [],
    }
    text = simac("inspect", path, "--check").out
    assert "The loader of the public runtime: nothing that is public stands in the way" in text
    assert "The strict decoder: refuses it, 2 of 20 rules broken" in text
    assert "          - MLA_0: desired 16, actual 2" in text.splitlines()
    assert "\x1b" not in text
    assert all(rule["sentence"] in text for name in ("loader", "form") for rule in data[name]["rules"])


def test_the_command_on_an_unreadable_archive_and_on_nothing(simac, tmp_path: Path) -> None:
    path = tmp_path / "net_mpk.tar.gz"
    path.write_bytes(b"plain")
    text = simac("inspect", path, "--check").out
    assert "refuses it, 1 of 5 rules broken" in text
    assert "not a gzip file" in text
    assert "The strict decoder: unknown\n  20 rules could not be checked, because others are broken" in text
    assert (
        simac("inspect", tmp_path / "nothing.tar.gz", "--check", "--json").json["error"]["type"]
        == "InvalidArchiveError"
    )
