"""The page about the rules of archives, printed from the tables that check them.

In: nothing. Out: Markdown, `docs/archive-rules.md`. A test holds the committed page to it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from sima_compiler.archive.acceptance import BINARY_RULES, LOADER_RULES
from sima_compiler.archive.grammar import DOCUMENT_RULES, FORM_RULES
from sima_compiler.archive.rule import Rule

_HEAD = """\
# What the vendor's programs take

`simac inspect ARCHIVE --check` looks at an archive, of this compiler or of any other, with the rules below, and says
of each whether it is kept, broken and where, or could not be checked because a rule that it relies on is broken. They
are what is public about the two programs that read archives for a board; what those keep to themselves is not here,
so a kept rule is no promise.

This page is printed from the rules themselves: `python -m sima_compiler.archive.rules_page > docs/archive-rules.md`.
"""
_LOADER = """\
## The loader of the public runtime

It opens the file. Archives of this compiler break `board_binary`: their `.lm` runs on the simulator that comes with
it. What breaks `container` or `document` is refused by this project's own reader too.
"""
_DECODER = """\
## The strict decoder

It reads the document and asks the binaries of the MLA for their buffers. The published documentation shows a desired
batch size of 16 beside an actual one of 12; the decoder wants them equal, so an archive whose batch was negotiated
down breaks `mla_batches`.
"""
_FORM = """\
## The form of published documents

What documents of the vendor's compiler have besides. Neither program is known to refuse an archive for these.
"""


def page() -> str:
    """The whole page."""
    tables = ((_LOADER, LOADER_RULES), (_DECODER, (*DOCUMENT_RULES, *BINARY_RULES)), (_FORM, FORM_RULES))
    return "\n".join([_HEAD, *(f"{text}\n{_table(rules)}" for text, rules in tables)])


def _table(rules: Sequence[Rule[Any]]) -> str:
    rows = [f"| `{rule.key}` | {rule.sentence} |\n" for rule in rules]
    return "".join(["| Rule | What must hold |\n|---|---|\n", *rows])


if __name__ == "__main__":
    sys.stdout.write(page())
