"""What a compiled archive says, as plain records: the one thing that every view (HTML, text, figure) reads.

`sima_nb.reading` fills these records from an archive; a field is None (or empty) where the archive does not know, as in
archives of other compilers. Cycles are for one run of the whole actual batch, sizes are bytes, shares are of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sima_nb import units


@dataclass(frozen=True, slots=True)
class LayerFact:
    """One layer of the static schedule. ``end_cycle`` is inclusive; ``share`` is of all layers' cycles."""

    id: int
    name: str
    family: str
    start_cycle: int
    end_cycle: int
    share: float
    macs: int | None = None
    utilisation: float | None = None
    bound_by: str | None = None
    runtime_cycles: int | None = None

    @property
    def cycles(self) -> int:
        """Compute cycles of the layer."""
        return self.end_cycle - self.start_cycle + 1


@dataclass(frozen=True, slots=True)
class FileFact:
    """One file of the archive."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class PluginFact:
    """One step of the pipeline in ``*_mpk.json``; ``detail`` is the kernel or the executable's file name."""

    sequence: int
    name: str
    processor: str
    detail: str


@dataclass(frozen=True, slots=True)
class CandidateFact:
    """One batch size that the compiler weighed."""

    batch: int
    feasible: bool
    basis: str = ""
    peak_bytes: int | None = None
    cycles_per_sample: float | None = None
    samples_per_second: float | None = None
    limiting: str = ""
    reason: str = ""
    advice: str = ""

    def verdict(self, actual: int | None) -> str:
        """What became of the size, in a word or three, given the size that was built."""
        if self.batch == actual:
            return "built"
        if self.feasible:
            return "feasible"
        return "does not fit" if self.basis == "does not fit" else "not feasible"

    @property
    def how(self) -> str:
        """Whether the numbers were scheduled or estimated; empty where there are none."""
        return "" if self.basis == "does not fit" else self.basis


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a summary shows about one archive.

    ``counting`` says how ``compute_cycles`` was counted where the layers overlap or leave gaps.
    """

    name: str
    path: str
    desired_batch: int | None
    actual_batch: int | None
    reason: str = ""
    machine: str = ""
    quads: int | None = None
    clock_mhz: float = 1000.0
    clock_assumed: bool = False
    compute_cycles: int = 0
    counting: str = ""
    runtime_cycles: int | None = None
    bound_cycles: int | None = None
    padded_bound_cycles: int | None = None
    efficiency: float | None = None
    stall_cycles: Mapping[str, int] = field(default_factory=dict[str, int])
    files: tuple[FileFact, ...] = ()
    plugins: tuple[PluginFact, ...] = ()
    layers: tuple[LayerFact, ...] = ()
    candidates: tuple[CandidateFact, ...] = ()
    left_to_host: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def cycles(self) -> int:
        """Runtime cycles where known, else the static schedule's compute cycles."""
        return self.runtime_cycles if self.runtime_cycles is not None else self.compute_cycles

    @property
    def latency_us(self) -> float:
        """Time of one run of the whole batch in microseconds."""
        return self.cycles / self.clock_mhz

    @property
    def samples_per_second(self) -> float:
        """Samples per second at the machine's clock; 0 when no cycles are known."""
        return units.rate(self.actual_batch or 1, self.cycles, self.clock_mhz)

    @property
    def plugin_counts(self) -> dict[str, int]:
        """Plugins per processor, in the order of their first use."""
        counts: dict[str, int] = {}
        for plugin in self.plugins:
            counts[plugin.processor] = counts.get(plugin.processor, 0) + 1
        return counts

    @property
    def batch_sentence(self) -> str:
        """Desired and actual batch size and why, as one sentence."""
        if self.actual_batch is None:
            return "The archive does not say which batch size it was built for."
        if self.reason:
            return _sentence(self.reason)
        if self.desired_batch in (None, self.actual_batch):
            return f"Built for batch {self.actual_batch}, as asked."
        return f"Asked for batch {self.desired_batch}, built for {self.actual_batch}; the archive does not say why."

    @property
    def host_sentence(self) -> str:
        """What the archive leaves to the host, as one sentence; empty when it leaves nothing."""
        if not self.left_to_host:
            return ""
        return f"Left to the host: {'; '.join(self.left_to_host)}."

    @property
    def other_warnings(self) -> tuple[str, ...]:
        """The warnings that say something else than the host sentence."""
        said = {f"left to the host: {part}" for part in self.left_to_host}
        return tuple(warning for warning in self.warnings if warning not in said)


def _sentence(text: str) -> str:
    """``text`` with a capital in front and a full stop behind."""
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"
