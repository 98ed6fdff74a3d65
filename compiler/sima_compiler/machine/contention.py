"""How a command that computes and a transfer slow each other down on the on-chip ports that they share.

In: the ports, each with its limit and what the command would use of it at full speed; what the transfer would use; in
bytes per 1,000 cycles. Out: speeds, in whole steps per cycle. Always holds: at these speeds no port passes more than
its limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Work at full speed does this many steps per cycle.
FULL_SPEED = 1024


@dataclass(slots=True)
class Work:
    """Job ``index`` of an engine while it is being done: ``left`` steps to do since ``since``, ``speed`` of them per
    cycle. ``due``: the cycle at whose start it will be done; -1 while it stands still.
    """

    engine: int
    index: int
    start: int
    since: int
    left: int
    speed: int = 0
    due: int = -1

    def pace(self, now: int, speed: int) -> None:
        """Goes on at that speed from ``now``."""
        self.left = max(0, self.left - self.speed * (now - self.since))
        self.since, self.speed = now, speed
        stands = self.left and not speed
        self.due = -1 if stands else now + (-(-self.left // speed) if self.left else 0)


def speeds(ports: Sequence[tuple[int, int]], wanted: int, *, urgent: bool) -> tuple[int, int]:
    """Speeds of a command with those (limit, use) and of a transfer that wants so much of each of the ports.

    The transfer gets what the command leaves. An urgent one goes first, and the command gets what it leaves.
    """
    if not ports or not wanted:
        return FULL_SPEED, FULL_SPEED
    rate = wanted if urgent else max(0, min(wanted, *(limit - use for limit, use in ports)))
    slowed = (FULL_SPEED * max(0, limit - rate) // use for limit, use in ports if limit - rate < use)
    return min(slowed, default=FULL_SPEED), FULL_SPEED * rate // wanted
