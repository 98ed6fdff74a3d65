"""JupyterLab as a page: its file browser, its menus, and our documents in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.jupyterlab import PATIENCE, Lab, quiet_page
from tests.support.node import axe_script

_LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


#: The application's own memory of a workspace is a service without a command.
_CLEAN = """async () => {
  const app = window.jupyterapp;
  await app.commands.execute("application:close-all");
  await app.commands.execute("filebrowser:go-to-path", { path: "" });
  const plugins = [...app.pluginRegistry._plugins.values()];
  await plugins.find(plugin => plugin.id === "@jupyterlab/apputils-extension:state").service.clear();
  app.shell.collapseRight();
}"""


@dataclass(frozen=True, slots=True)
class LabPage:
    """A page of the application, with nothing but its launcher open at first."""

    page: Page
    lab: Lab

    @property
    def document(self) -> Locator:
        """The document of ours that is seen."""
        return self.page.locator(".sima-nb-document:not(.sima-nb-details):visible")

    def row(self, name: str) -> Locator:
        """A row of the file browser."""
        return self.page.locator(f'.jp-DirListing-item:has(.jp-DirListing-itemText span:text-is("{name}"))')

    def double_click(self, name: str) -> Locator:
        """Open a file as a person does."""
        self.row(name).dblclick()
        expect(self.document).to_be_visible(timeout=1000 * PATIENCE)
        return self.document

    def menu(self, name: str) -> Locator:
        """The context menu of a file."""
        self.row(name).click(button="right")
        return self.page.locator(".lm-Menu").last

    def command(self, name: str, **arguments: Any) -> None:
        """Run a command of the application and wait for its end."""
        self.page.evaluate(
            "async ([name, given]) => { await window.jupyterapp.commands.execute(name, given) }", [name, arguments]
        )

    def tab(self, name: str) -> Locator:
        """A tab of the document, to be clicked."""
        return self.document.get_by_role("tab", name=name, exact=True)

    def wait_ready(self) -> None:
        """Wait until the application stands and shows files."""
        self.page.locator(".jp-DirListing-item").first.wait_for(timeout=1000 * PATIENCE)
        self.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=1000 * PATIENCE)

    def clean(self) -> None:
        """As the page was when it was opened: nothing open, nothing chosen, nothing remembered, the light theme."""
        self.page.evaluate(_CLEAN)
        self.command("apputils:change-theme", theme="JupyterLab Light")
        self.page.evaluate("document.activeElement?.blur()")

    def no_dialog(self) -> None:
        """Nothing asks or warns."""
        expect(self.page.locator(".jp-Dialog")).to_have_count(0)

    def accessible(self, place: str = ".sima-nb-document") -> None:
        """axe-core finds no violation of level A or AA."""
        self.page.evaluate(axe_script())
        found = self.page.evaluate(
            """async ([place, levels]) => {
              const report = await axe.run(place, { runOnly: { type: "tag", values: levels } });
              return report.violations.map(rule => `${rule.id}: ${rule.nodes.map(node => node.html).join("; ")}`);
            }""",
            [place, _LEVELS],
        )
        assert found == []

    def picture(self, path: Path) -> None:
        """A picture of the whole page, for people to look at."""
        self.page.screenshot(path=path)


@contextlib.contextmanager
def open_lab(
    browser: Browser,
    lab: Lab,
    workspace: str,
    app: str = "lab",
    *,
    complaints: list[str] | None = None,
    before: Callable[[Page], object] | None = None,
) -> Generator[LabPage]:
    """The application; when the block ends, nothing may have complained, which ``complaints`` tells before.

    ``before`` is called with the page while it is still empty.
    """
    with quiet_page(browser, lab, [] if complaints is None else complaints) as page:
        opened = LabPage(page, lab)
        if before is not None:
            before(page)
        place = f"lab/workspaces/{workspace}" if app == "lab" else app
        page.goto(f"{lab.address}/{place}?token={lab.token}")
        opened.wait_ready()
        yield opened
        opened.no_dialog()
