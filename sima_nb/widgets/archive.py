"""`ArchiveTree`: the files of an archive with their roles, previews and extraction, and its pipeline of plugins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from sima_compiler import Archive
from sima_compiler.view import MemberPreviews
from sima_nb.widgets.base import Question, ViewWidget
from sima_nb.widgets.opening import opened_archive


class ArchiveTree(ViewWidget):
    """What is in an archive. Previews are read when they are asked for; large members never reach the browser.

    ::

        ArchiveTree("out/resnet50_mpk.tar.gz", extract_to="unpacked")
    """

    KIND = "archive"
    ANSWERS: ClassVar[Mapping[str, str]] = {"preview": "_preview", "extract": "_extract"}

    def __init__(self, source: Any, *, extract_to: str | Path = ".") -> None:
        """``source``: a path, an Archive, or what ``compile`` returned. ``extract_to``: where extracted files go.

        Raises:
            ArchiveError: the file cannot be read. OptionError: ``source`` names no archive.
        """
        archive, view = opened_archive(source)
        self._previews: MemberPreviews | None = MemberPreviews(archive)
        self._folder = Path(extract_to).expanduser()
        super().__init__(view)

    @property
    def archive(self) -> Archive:
        """The opened archive.

        Raises:
            OptionError: the widget is closed.
        """
        return self._pages.archive

    def close(self) -> None:
        """Take the widget away everywhere and give its memory back, the pages of previews too."""
        super().close()
        self._previews = None

    @property
    def _pages(self) -> MemberPreviews:
        _ = self.view  # a closed widget says so
        assert self._previews is not None
        return self._previews

    def _preview(self, question: Question) -> dict[str, Any]:
        page, search = int(question.get("page", 0)), str(question.get("search", ""))
        return self._pages.page(str(question["member"]), page, search).to_dict()

    def _extract(self, question: Question) -> str:
        names = [str(name) for name in question["members"]]
        written = self.archive.extract(names, self._folder)
        count = f"{len(written)} file{'s' * (len(written) != 1)}"
        return f"{count} extracted into {self._folder.resolve()}"
