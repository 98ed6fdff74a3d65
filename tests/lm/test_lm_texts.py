"""Texts in a binary: UTF-8 or refused with a sentence, however they are damaged."""

from __future__ import annotations

import pytest

from sima_compiler.errors import LmError
from sima_compiler.lm.fields import Cursor, Text


@pytest.mark.parametrize("data", [b"\xff", b"\xc3", b"a\x80"])
def test_bytes_that_are_no_text_are_refused(data: bytes) -> None:
    whole = bytes([len(data)]) + data
    with pytest.raises(LmError, match="a text is not UTF-8"):
        Text(16).read(Cursor(whole, 0, len(whole), "section LAYERS"))


def test_a_text_is_read_back() -> None:
    data = "größe".encode()
    whole = bytes([len(data)]) + data
    assert Text(16).read(Cursor(whole, 0, len(whole), "section LAYERS")) == "größe"
