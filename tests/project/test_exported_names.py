"""The public surface is what was decided, no more and no less."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType

import pytest

import sima_compiler
import sima_nb
from sima_compiler import errors, view

#: Adding a name here is a decision: users will rely on it.
ENGINE_NAMES = {
    "Archive",
    "CheckReport",
    "CompileResult",
    "ExportResult",
    "L2CachingMode",
    "Limits",
    "Machine",
    "MlaStats",
    "Model",
    "Obstacle",
    "Progress",
    "SweepTable",
    "sweep",
    "TensorDRAMLayout",
    "TensorTessellateParameters",
    "VerifyReport",
    "add_check_arguments",
    "add_compile_arguments",
    "add_export_arguments",
    "add_verify_arguments",
    "check_from_arguments",
    "compile_keywords",
    "export_from_arguments",
    "logging_from_arguments",
    "model_from_arguments",
    "output_folder",
    "write_whole",
    "printable",
    "quantize",
    "simulate",
    "verify",
    "verify_from_arguments",
}
VIEW_NAMES = {
    *("BatchCandidate", "FileRow", "Finding", "Label", "Layer", "Markup", "MemberPreviews", "MemoryBuffer", "Plugin"),
    *("Table", "View", "check_page", "layer_details", "output_html", "page_html", "saved_view", "summary_html"),
    *("first_layers", "tag", "to_binary", "to_json", "Comparison", "compare_paths", "compare_views", "comparison_html"),
    *(
        "comparison_text",
        "saved_comparison",
        "Preview",
        "saved_comparison_forms",
        "saved_forms",
        "short_text",
        "comparison_facts",
    ),
    *("output_forms", "packed_json", "output_of", "short_text", "comparison_facts"),
    *("view_of", "view_of_path", "view_of_stats", "view_text", "write_page"),
}
#: Modules of numbers, words and colours that hosts use as a whole.
VIEW_MODULES = {"palette", "units", "wordings"}
NOTEBOOK_NAMES = {
    *("ArchiveTree", "BatchNegotiation", "Comparison", "StatsExplorer"),
    *("Summary", "load_ipython_extension", "unload_ipython_extension", "write_html"),
}


def error_names() -> set[str]:
    return {name for name, value in vars(errors).items() if inspect.isclass(value)}


def visible(module: ModuleType) -> set[str]:
    """Names without an underscore that are not submodules, as a reader of `dir()` sees them."""
    names = {name for name in dir(module) if not name.startswith("_")} - {"annotations"}
    return {name for name in names if not isinstance(getattr(module, name), ModuleType)}


@pytest.mark.parametrize(
    ("module", "expected"),
    [(sima_compiler, ENGINE_NAMES | error_names()), (sima_nb, NOTEBOOK_NAMES)],
    ids=["sima_compiler", "sima_nb"],
)
def test_the_public_names_are_the_decided_ones(module: ModuleType, expected: set[str]) -> None:
    declared = set(getattr(module, "__all__", ())) - {"__version__"}
    assert sorted(declared) == sorted(expected)
    assert sorted(visible(module)) == sorted(expected), "something looks public by accident, or is promised and missing"


def test_the_view_offers_the_decided_names() -> None:
    assert sorted(view.__all__) == sorted(VIEW_NAMES | VIEW_MODULES)
    for name in VIEW_NAMES:
        assert getattr(view, name) is not None, name
    for name in VIEW_MODULES:
        assert inspect.ismodule(importlib.import_module(f"{view.__name__}.{name}")), name


def test_every_public_name_says_what_it_is() -> None:
    bare = [
        f"{module.__name__}.{name}"
        for module in (sima_compiler, sima_nb)
        for name in visible(module)
        if callable(getattr(module, name)) and not (inspect.getdoc(getattr(module, name)) or "").strip()
    ]
    assert not bare, f"without a docstring: {bare}"


def test_every_error_has_the_one_root() -> None:
    for name in error_names():
        assert issubclass(getattr(errors, name), errors.SimaError), name
        assert name in (errors.__doc__ or ""), f"{name} is missing from the tree in errors.py's docstring"
