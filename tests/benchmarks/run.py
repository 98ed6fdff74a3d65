"""Runs the benchmarks and writes `results.md`: ``python -m tests.benchmarks.run [SECTION ...] [--output FILE]``.

In: names of sections, all when none is given. Out: the tables on stdout, and in a file when all were run. The exit code
is 0 also when a limit is missed: the table says so; tests/benchmarks/test_cycle_ratios.py guards what must not regress.
"""

from __future__ import annotations

import argparse
import platform
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from sima_compiler.version import __version__
from tests.benchmarks.networks import WITHOUT_FOLDER, shared_folder
from tests.benchmarks.tables import Section

SECTIONS = ("bounds", "vela", "compile_time", "scaling", "simulation_speed", "published")
RESULTS = Path(__file__).parent / "results.md"
PACKAGES = ("numpy", "onnx", "onnxruntime")
HEAD = """\
# Benchmark results

Made by `make bench` with {versions}; {host}. Cycles and bytes are the same everywhere. Seconds are not: only
their ratios within one run are compared with limits. README.md says what each table measures.
"""


def main() -> None:
    """Parse, run, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.run", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"any of {', '.join(SECTIONS)}")
    parser.add_argument("--output", type=Path, help=f"where the tables go (default with all sections: {RESULTS.name})")
    options = parser.parse_args()
    unknown = sorted(set(options.sections) - set(SECTIONS))
    if unknown:
        parser.error(f"unknown section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    sections = [_run(name) for name in options.sections or SECTIONS]
    output = options.output or (None if options.sections else RESULTS)
    if output is not None:
        output.write_text(document(sections), "utf-8")
        print(f"written to {output}")
    missed = [f"{section.title}: {row.name}" for section in sections for row in section.missed]
    print("every limit is met" if not missed else "missed: " + "; ".join(missed))
    if shared_folder() is None:
        print(f"{WITHOUT_FOLDER}.")


def _run(name: str) -> Section:
    started = time.perf_counter()
    section: Section = import_module(f"tests.benchmarks.{name}").section()
    print(section.markdown())
    print(f"({name}: {time.perf_counter() - started:.0f} s)\n", flush=True)
    return section


def document(sections: list[Section]) -> str:
    """The whole file: what it was made with, then the tables."""
    versions = ", ".join([f"sima-nb {__version__}", *(f"{name} {version(name)}" for name in PACKAGES)])
    host = f"Python {platform.python_version()}, {platform.system()}, {platform.machine()}"
    head = HEAD.format(versions=versions, host=host)
    return "\n".join([head, *(section.markdown() for section in sections)]).rstrip() + "\n"


if __name__ == "__main__":
    main()
