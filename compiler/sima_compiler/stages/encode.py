"""Encode: a schedule becomes the bytes of an `.lm` file.

Before: a program with waits. After: bytes. Checks: decoding them gives the same program back.
"""

from __future__ import annotations

from sima_compiler.errors import InternalError
from sima_compiler.ir.schedule import Schedule
from sima_compiler.lm.reader import decode
from sima_compiler.lm.writer import encode as write


def encode(schedule: Schedule) -> bytes:
    """The `.lm` of a schedule.

    Raises:
        InternalError: what was written does not read back as the same program.
    """
    data = write(schedule.program, schedule.stored)
    if decode(data) != schedule.program:
        raise InternalError("encode: the written .lm does not read back as the same program")
    return data
