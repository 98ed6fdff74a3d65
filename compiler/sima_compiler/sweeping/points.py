"""What a sweep compiles: the network's bytes, and one point per combination of options.

In: values per option. Out: frozen records that any process can be sent. Always: a point's key is the hash of all that
decides its result (model, options, machine description, version of this package) and of nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path

from sima_compiler.errors import OptionError
from sima_compiler.machine.description import Machine
from sima_compiler.version import __version__

#: Letters of a key: 64 bits, so that among a million points two meet once in 37 million sweeps.
KEY_LETTERS = 16


@dataclass(frozen=True, slots=True)
class SweptNetwork:
    """A quantized network on its way to a worker; ``content`` is its bytes, or a file of this machine that holds them.

    Two are equal when their checksums are, so that a worker reads each once.
    """

    name: str
    checksum: str
    content: bytes | Path = field(compare=False, repr=False)

    def read(self) -> bytes:
        """The bytes."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One combination. ``input_size`` is (rows, columns), or None for the network's own."""

    network: str
    checksum: str
    input_size: tuple[int, int] | None
    machine: Machine
    quads: int
    compress: bool
    batch_size: int

    @property
    def key(self) -> str:
        """What a finished result is found again by."""
        text = json.dumps([__version__, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()[:KEY_LETTERS]

    @property
    def size_text(self) -> str:
        """``224x224``, or nothing."""
        return "x".join(map(str, self.input_size)) if self.input_size else ""


def points_of(
    network: SweptNetwork,
    *,
    batch_sizes: Sequence[int],
    quads: Sequence[int | None],
    compress: Sequence[bool],
    machines: Sequence[Machine],
    input_sizes: Sequence[tuple[int, int] | None],
) -> tuple[SweepPoint, ...]:
    """Every combination once, the batch size varying quickest. ``quads`` of None are all of a machine's.

    Raises:
        OptionError: a value is out of range for every machine, or there is none.
    """
    for name, values in (("batch size", batch_sizes), ("quads", quads), ("compress", compress), ("machine", machines)):
        if not values:
            raise OptionError(
                f"no {name} is given", hint="an option that is not to vary keeps its default: leave it out"
            )
    found = [
        SweepPoint(
            network.name, network.checksum, size, machine, machine.quads if count is None else count, packed, batch
        )
        for size, machine, count, packed, batch in product(input_sizes, machines, quads, compress, batch_sizes)
    ]
    return tuple(dict.fromkeys(found))
