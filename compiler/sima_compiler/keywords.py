"""The keywords of `Model.compile`, checked before any work.

In: values as the caller gave them. Out: nothing, or an error that names the value; a warning for what is ignored.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from numbers import Integral

from sima_compiler.errors import OptionError, UnsupportedError
from sima_compiler.options import L2CachingMode


def check_name(name: str) -> None:
    """Raises OptionError where a model's name can be no file name."""
    if not name or name in (".", "..") or any(mark in name for mark in "/\\\0"):
        raise OptionError(f"model name {name!r} cannot be a file name", hint="use letters, digits, '-', '_' and '.'")


def check_options(batch_size: object, switches: Mapping[str, object], quads: object, log_level: object) -> None:
    """Raises OptionError for a value out of range."""
    numbers = {"batch_size": batch_size} | ({} if quads is None else {"quads": quads})
    for label, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise OptionError(f"{label} is {value!r}, expected a whole number of at least 1")
    for label, value in switches.items():
        if not isinstance(value, bool):
            raise OptionError(f"{label} is {value!r}, expected True or False")
    if log_level is not None and (isinstance(log_level, bool) or not isinstance(log_level, int) or log_level < 0):
        raise OptionError(f"log_level is {log_level!r}, expected a level of the logging module")


def refuse_caching(l2_caching_mode: object) -> None:
    """Raises UnsupportedError for a caching mode that this machine has not."""
    if l2_caching_mode is not L2CachingMode.NONE:
        raise UnsupportedError(
            f"l2_caching_mode {l2_caching_mode!r} has no public meaning, and this machine has no L2 cache",
            hint="use L2CachingMode.NONE",
        )


def warn_ignored(preserve: object, sdk_keywords: Mapping[str, object]) -> None:
    """One warning for keywords of the vendor's SDK that change nothing here; the caller of `Model.compile` is shown."""
    ignored = [*sorted(sdk_keywords), *(["preserve"] if preserve is not True else [])]
    if ignored:
        warnings.warn(f"Model.compile ignores {', '.join(ignored)}: the vendor's SDK has it, this compiler does not",
                      stacklevel=3)  # fmt: skip


@contextmanager
def log_level_of_call(level: int | None) -> Generator[None, None, None]:
    """Set the package's logger for the duration of a call."""
    logger = logging.getLogger("sima_compiler")
    before = logger.level
    if level:
        logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
