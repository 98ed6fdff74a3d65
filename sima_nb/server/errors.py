"""What a request can go wrong with, in the one form in which every error is told.

In: an exception. Out: a status and ``{"error": {"type", "message", "hint"}}``, as ``simac --json`` prints it. Always
holds: no path of the server's own disk stands in a message, only the one that the contents manager has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tornado.web import HTTPError

from sima_compiler import ArchiveError, OptionError, SimaError, printable


class ServerError(SimaError):
    """A request that cannot be answered; ``status`` is HTTP's."""

    status: ClassVar[int] = 400


class RequestError(ServerError):
    """A request that lacks something, or says it in a wrong way."""


class PathError(ServerError):
    """Nothing of that path is served: it is missing, hidden, outside, or no path at all."""

    status = 404


class NotLocalError(ServerError):
    """The contents manager serves no folder of this server's disk."""

    status = 501


class BusyError(ServerError):
    """More requests wait than are allowed to."""

    status = 503


class ClientLeftError(ServerError):
    """Nobody waits for the answer any more."""

    status = 499


class RefusedError(ServerError):
    """What another process has refused, under the name that it gave."""

    status = 422
    kind = ""

    @staticmethod
    def of(found: Mapping[str, str]) -> RefusedError:
        """The error of such a record."""
        error = RefusedError(found.get("message", ""), hint=found.get("hint", ""))
        error.kind = found.get("type", "")
        return error


#: Sentences for what Jupyter itself refuses before a handler is asked.
_BY_STATUS = {
    403: ("Forbidden", "not allowed: the token is missing or wrong, or the page is an old one", "log in and try again"),
    404: ("NotFound", "nothing of that name here", ""),
    405: ("MethodNotAllowed", "this cannot be asked in that way", ""),
}
_UNEXPECTED = ("InternalError", "the server met an unexpected error", "its log has the details")


def error_body(kind: str, message: str, hint: str = "") -> dict[str, Any]:
    """The one form of every error."""
    return {"error": {"type": kind, "message": printable(message), "hint": printable(hint)}}


def reply_of(error: BaseException, status: int, root: str) -> tuple[int, dict[str, Any]]:
    """Status and body for ``error``; ``status`` is what Jupyter would send, ``root`` what messages must not name."""
    if isinstance(error, SimaError):
        kind = error.kind if isinstance(error, RefusedError) else type(error).__name__
        return _status_of(error), error_body(kind, relative(error.message, root), relative(error.hint, root))
    if isinstance(error, HTTPError):
        kind, message, hint = _BY_STATUS.get(status, ("HTTPError", error.reason or f"HTTP status {status}", ""))
        return status, error_body(kind, message, hint)
    return 500, error_body(*_UNEXPECTED)


def _status_of(error: SimaError) -> int:
    """400 for what a request asks wrongly, 422 for a file that cannot be read or compiled."""
    if isinstance(error, ServerError):
        return error.status
    return 400 if isinstance(error, OptionError) or type(error) is ArchiveError else 422


def relative(text: str, root: str) -> str:
    """``text`` without the server's own folder in it."""
    return text.replace(f"{root}/", "") if root != "/" else text
