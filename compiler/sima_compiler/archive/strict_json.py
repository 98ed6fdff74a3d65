"""JSON without its loopholes.

In: bytes. Out: plain Python values. Always holds: UTF-8, no key twice in one object, nesting up to 64, finite numbers,
at most 32 MiB, no lone surrogates.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, NoReturn

from sima_compiler.errors import SchemaError, SizeLimitError

#: Largest JSON text in bytes.
LARGEST_JSON = 32 << 20
#: Deepest nesting of objects and arrays.
DEEPEST_JSON = 64


class _Refusal(ValueError):
    """A loophole met while decoding; becomes a SchemaError."""


def parse_json(data: bytes, entry: str, *, largest: int = LARGEST_JSON) -> Any:
    """The value of a JSON text; ``entry`` names it in errors.

    Raises:
        SizeLimitError: more than ``largest`` bytes.
        SchemaError: not UTF-8, not JSON, a duplicate key, too deep, or a number that is not finite.
    """
    if len(data) > largest:
        raise SizeLimitError(f"{entry}: {len(data)} bytes of JSON, the limit is {largest}", entry=entry)
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise SchemaError(f"{entry}: not valid UTF-8 at byte {error.start}", entry=entry) from error
    except json.JSONDecodeError as error:
        message = f"{entry}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        raise SchemaError(message, entry=entry) from error
    except RecursionError as error:
        raise SchemaError(f"{entry}: nested deeper than {DEEPEST_JSON}", entry=entry) from error
    except ValueError as error:
        raise SchemaError(f"{entry}: {error}", entry=entry) from error
    _check_values(value, entry)
    return value


def dump_json(value: Any) -> bytes:
    """JSON text of ``value``: two-space indent, keys in the given order, a newline at the end, ASCII only."""
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode("ascii")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise _Refusal(f"the key {counts.most_common(1)[0][0]!r} appears twice in one object")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise _Refusal(f"{name} is not a JSON number")


def _check_values(root: Any, entry: str) -> None:
    level: list[Any] = [root]
    depth = 0
    while level:
        for value in level:
            _check_scalar(value, entry)
        containers = [value for value in level if isinstance(value, (dict, list))]
        depth += bool(containers)
        if depth > DEEPEST_JSON:
            raise SchemaError(f"{entry}: nested deeper than {DEEPEST_JSON}", entry=entry)
        level = [child for container in containers for child in _children(container)]


def _children(container: dict[str, Any] | list[Any]) -> list[Any]:
    return [*container.keys(), *container.values()] if isinstance(container, dict) else container


def _check_scalar(value: Any, entry: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise SchemaError(f"{entry}: a number is too large for a double", entry=entry)
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise SchemaError(f"{entry}: the text {value!a} holds half of a surrogate pair", entry=entry)
