"""Pages that fail on any error, warning of the console, dialog or request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.labextension.pages import widget_page
from tests.support.node import axe_script

Opened = Callable[..., Page]


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    return axe_script()


@pytest.fixture
def open_html(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Opens HTML as a file; at the end nothing may have complained, asked, or left the page."""
    pages: list[Page] = []
    complaints: list[str] = []

    def opened(html: str, **options: Any) -> Page:
        path = tmp_path / f"page{len(pages)}.html"
        path.write_text(html, "utf-8")
        page = browser.new_page(**{"viewport": {"width": 1200, "height": 900}, **options})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on(
            "request",
            lambda sent: complaints.extend([] if sent.url.startswith(("file:", "data:", "blob:")) else [sent.url]),
        )
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert not complaints, "\n".join(complaints)[:4000]


@pytest.fixture
def open_widget(open_html: Opened) -> Opened:
    """Opens one of the widgets with its data and traits."""

    def opened(view: str, data: dict[str, Any], *, options: dict[str, Any] | None = None, **traits: Any) -> Page:
        page = open_html(widget_page(view, data, **traits), **(options or {}))
        page.wait_for_function("window.ready")
        return page

    return opened
