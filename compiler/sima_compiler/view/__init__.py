"""What a person is shown, as records, and its plain forms. No Jupyter; reads archives and statistics files only.

::

    from sima_compiler.view import page_html, view_of_path

    view = view_of_path("out/resnet50_mpk.tar.gz")  # or a *_mla_stats.yaml
    view.totals.efficiency, [layer.name for layer in view.layers]

Hosts (the notebook, the server, the command line) import from here. Everything loads on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sima_compiler.archive.report_records import BatchCandidate, MemoryBuffer
    from sima_compiler.view import palette, units, wordings
    from sima_compiler.view.columns import to_binary, to_json
    from sima_compiler.view.compare import Comparison, compare_paths, compare_views
    from sima_compiler.view.compare_text import comparison_facts, comparison_text
    from sima_compiler.view.details import layer_details
    from sima_compiler.view.fitting import saved_comparison_forms, saved_forms
    from sima_compiler.view.html.comparison import comparison_html
    from sima_compiler.view.html.markup import Markup, tag
    from sima_compiler.view.html.summary import summary_html
    from sima_compiler.view.page import (
        check_page,
        output_forms,
        output_html,
        output_of,
        packed_json,
        page_html,
        write_page,
    )
    from sima_compiler.view.previews import MemberPreviews, Preview
    from sima_compiler.view.reading import view_of, view_of_path, view_of_stats
    from sima_compiler.view.records import FileRow, Finding, Label, Layer, Plugin, View
    from sima_compiler.view.saved import first_layers, saved_view
    from sima_compiler.view.saved_pair import saved_comparison
    from sima_compiler.view.tables import Table
    from sima_compiler.view.text import short_text, view_text

#: Public name -> module that defines it.
_HOMES: dict[str, str] = {
    "BatchCandidate": "sima_compiler.archive.report_records",
    "Comparison": "sima_compiler.view.compare",
    "FileRow": "sima_compiler.view.records",
    "Finding": "sima_compiler.view.records",
    "Label": "sima_compiler.view.records",
    "Layer": "sima_compiler.view.records",
    "Markup": "sima_compiler.view.html.markup",
    "MemberPreviews": "sima_compiler.view.previews",
    "MemoryBuffer": "sima_compiler.archive.report_records",
    "Plugin": "sima_compiler.view.records",
    "Preview": "sima_compiler.view.previews",
    "Table": "sima_compiler.view.tables",
    "View": "sima_compiler.view.records",
    "check_page": "sima_compiler.view.page",
    "compare_paths": "sima_compiler.view.compare",
    "compare_views": "sima_compiler.view.compare",
    "comparison_facts": "sima_compiler.view.compare_text",
    "comparison_html": "sima_compiler.view.html.comparison",
    "comparison_text": "sima_compiler.view.compare_text",
    "first_layers": "sima_compiler.view.saved",
    "layer_details": "sima_compiler.view.details",
    "output_forms": "sima_compiler.view.page",
    "output_html": "sima_compiler.view.page",
    "packed_json": "sima_compiler.view.page",
    "page_html": "sima_compiler.view.page",
    "output_of": "sima_compiler.view.page",
    "saved_comparison": "sima_compiler.view.saved_pair",
    "saved_comparison_forms": "sima_compiler.view.fitting",
    "saved_forms": "sima_compiler.view.fitting",
    "saved_view": "sima_compiler.view.saved",
    "short_text": "sima_compiler.view.text",
    "summary_html": "sima_compiler.view.html.summary",
    "tag": "sima_compiler.view.html.markup",
    "to_binary": "sima_compiler.view.columns",
    "to_json": "sima_compiler.view.columns",
    "view_of": "sima_compiler.view.reading",
    "view_of_path": "sima_compiler.view.reading",
    "view_of_stats": "sima_compiler.view.reading",
    "view_text": "sima_compiler.view.text",
    "write_page": "sima_compiler.view.page",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "BatchCandidate",
    "Comparison",
    "FileRow",
    "Finding",
    "Label",
    "Layer",
    "Markup",
    "MemberPreviews",
    "MemoryBuffer",
    "Plugin",
    "Preview",
    "Table",
    "View",
    "check_page",
    "compare_paths",
    "compare_views",
    "comparison_facts",
    "comparison_html",
    "comparison_text",
    "first_layers",
    "layer_details",
    "output_forms",
    "output_html",
    "output_of",
    "packed_json",
    "page_html",
    "palette",
    "saved_comparison",
    "saved_comparison_forms",
    "saved_forms",
    "saved_view",
    "short_text",
    "summary_html",
    "tag",
    "to_binary",
    "to_json",
    "units",
    "view_of",
    "view_of_path",
    "view_of_stats",
    "view_text",
    "wordings",
    "write_page",
]
