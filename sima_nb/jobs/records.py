"""What a job is, in memory, on disk and in the browser: the same names everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any


class State(StrEnum):
    """Where a job stands. ``interrupted``: its server ended before it did."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_active(self) -> bool:
        """Whether something will still happen."""
        return self in (State.QUEUED, State.RUNNING)


@dataclass(frozen=True, slots=True)
class Job:
    """One compile. Times are seconds since 1970; ``stages`` are {stage: [done, total]} in their order.

    ``path`` names the model as the user knows it, ``output`` is the folder on disk that takes the archive; while the
    job runs the archive grows in ``scratch`` below it. ``made_output``: the folder was made for this job. ``result``
    holds the keys of ``simac compile --json``, ``error`` type, message and hint. ``session`` is the server's, ``pid``
    the process's.
    """

    id: str
    path: str
    arguments: tuple[str, ...]
    output: str
    session: str
    created: float
    state: State = State.QUEUED
    started: float | None = None
    ended: float | None = None
    stages: Mapping[str, tuple[int, int]] | None = None
    result: Mapping[str, Any] | None = None
    error: Mapping[str, str] | None = None
    made_output: bool = False
    pid: int | None = None

    @property
    def scratch(self) -> Path:
        """The hidden folder in which the archive grows: on the same disk, so that it is renamed and never copied."""
        return Path(self.output) / f".sima-nb-{self.id}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` reads them."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @staticmethod
    def from_dict(found: Mapping[str, Any]) -> Job:
        """The job of such values; unknown names are ignored, so that an older release can read a newer one's.

        Raises:
            KeyError, TypeError, ValueError: these are no values of a job.
        """
        known: dict[str, Any] = {field.name: found[field.name] for field in fields(Job) if field.name in found}
        known["arguments"] = tuple(str(word) for word in known["arguments"])
        known["state"] = State(known["state"])
        return Job(**known)


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value
