"""Machine descriptions: every chip fact as data, read from a YAML file and checked field by field.

In: a name under ``specs/`` or the path of a YAML file. Out: a frozen `Machine`. A new machine is a file; no stage
holds a number of any chip.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from sima_compiler.errors import MachineError

#: libyaml's safe loader where PyYAML has it: ten times faster.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: Characters of a value that a message shows.
LONGEST_SHOWN = 80
#: Smallest and largest value of every numeric field; sentences about them live in docs and errors.
LIMITS: dict[str, tuple[int, int]] = {
    "clock_mhz": (1, 10_000),
    "quads": (1, 64),
    "tiles_per_quad": (1, 1024),
    "tile_row": (1, 64),
    "lanes": (16, 16),
    "accumulator_pixels": (16, 65_536),
    "weight_load_cycles": (0, 65_536),
    "fill_cycles": (0, 65_536),
    "layer_sync_cycles": (0, 65_536),
    "start_cycles": (0, 65_536),
    "output_bytes_per_tile": (1, 1024),
    "sram_bytes_per_quad": (4096, 1 << 30),
    "sram_read_bytes_per_quad": (1, 65_536),
    "sram_write_bytes_per_quad": (1, 65_536),
    "dram_bytes_per_cycle": (1, 65_536),
    "dram_burst_bytes": (16, 65_536),
    "dma_latency_cycles": (0, 1_000_000),
    "dma_outstanding": (1, 64),
    "decompressor_bytes_per_cycle": (1, 65_536),
    "instruction_fifo_bytes": (256, 1 << 20),
    "transfers_share_ports": (0, 1),
    "sram_port_bytes_per_quad": (0, 65_536),
    "sram_channel_bytes_per_kilocycle": (0, 65_536_000),
    "input_buffer_pixels_per_quad": (0, 65_536),
    "depthwise_cells_per_step": (1, 64),
    "depthwise_step_cycles": (1, 64),
    "pool_cell_cycles": (1, 64),
    "serial_add_cycles": (1, 1024),
    "divide_cycles": (1, 1024),
    "skips_padding": (0, 1),
    "commands_run_on": (0, 1),
}


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine. Counts are per quad where the name says so; time is in cycles, sizes are in bytes.

    Fields with a default may be absent from a file. ``start_cycles``: what a layer pays for each sample, with that
    sample's first command, in place of ``layer_sync_cycles``; those it pays when it goes on after another layer.
    ``transfers_share_ports``: loads use the quads' write ports and stores their read ports; 0: they have their own.
    ``sram_port_bytes_per_quad``: one port that reads, writes and transfers share; 0: none.
    ``sram_channel_bytes_per_kilocycle``: the most of it that inputs, weights, second operands and results may each
    take; 0: all of it. ``input_buffer_pixels_per_quad``: vectors of inputs kept between window cells; 0: every cell is
    read. The vector unit handles ``depthwise_cells_per_step`` weighted cells in ``depthwise_step_cycles``, and one cell
    of a pool in ``pool_cell_cycles``. It adds one float32 after the other in ``serial_add_cycles``, and takes the
    quotients or roots of a vector in ``divide_cycles``. ``skips_padding``: window rows and columns that lie in the
    padding of all of a command's results take no time. ``commands_run_on``: commands of one layer right behind one
    another fill and drain the array once (`runs`).
    """

    name: str
    clock_mhz: int
    quads: int
    tiles_per_quad: int
    tile_row: int
    lanes: int
    accumulator_pixels: int
    weight_load_cycles: int
    fill_cycles: int
    layer_sync_cycles: int
    output_bytes_per_tile: int
    sram_bytes_per_quad: int
    sram_read_bytes_per_quad: int
    sram_write_bytes_per_quad: int
    dram_bytes_per_cycle: int
    dram_burst_bytes: int
    dma_latency_cycles: int
    dma_outstanding: int
    decompressor_bytes_per_cycle: int
    instruction_fifo_bytes: int
    start_cycles: int = 0
    transfers_share_ports: int = 0
    sram_port_bytes_per_quad: int = 0
    sram_channel_bytes_per_kilocycle: int = 0
    input_buffer_pixels_per_quad: int = 0
    depthwise_cells_per_step: int = 1
    depthwise_step_cycles: int = 1
    pool_cell_cycles: int = 1
    serial_add_cycles: int = 1
    divide_cycles: int = 16
    skips_padding: int = 0
    commands_run_on: int = 0
    text: str = ""

    def tiles(self, quads: int) -> int:
        """Tiles of ``quads`` quads."""
        return quads * self.tiles_per_quad

    def sram_bytes(self, quads: int) -> int:
        """On-chip bytes of ``quads`` quads."""
        return quads * self.sram_bytes_per_quad

    def macs_per_cycle(self, quads: int) -> int:
        """Peak multiply-accumulates per cycle of ``quads`` quads."""
        return self.tiles(quads) * self.lanes * self.lanes

    def align(self, size: int) -> int:
        """``size`` rounded up to whole lanes."""
        return -(-size // self.lanes) * self.lanes

    @staticmethod
    def load(name_or_path: str | Path) -> Machine:
        """The machine of that name, or described by that file.

        Raises:
            MachineError: no such machine, unreadable file, or a field that is missing, unknown or out of range.
        """
        return Machine.parse(_read(str(name_or_path)), origin=str(name_or_path))

    @staticmethod
    def parse(text: str, *, origin: str = "<text>") -> Machine:
        """The machine that a YAML text describes; `Machine.text` keeps the text."""
        try:
            raw = yaml.load(text, _LOADER)  # noqa: S506 - both are safe loaders
        except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
            # Beside its own: numbers of thousands of digits, dates that do not exist, lists as keys, deep nesting.
            raise MachineError(f"{origin}: not YAML: {error}") from error
        if not isinstance(raw, dict):
            raise MachineError(f"{origin}: expected a mapping of fields", hint="start from machine/specs/mlsoc.yaml")
        _check_names(raw, origin)
        _check_values(raw, origin)
        return Machine(**raw, text=text)


def known_machines() -> tuple[str, ...]:
    """Names of the bundled machines."""
    folder = resources.files("sima_compiler.machine") / "specs"
    return tuple(sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def _read(name: str) -> str:
    if name in known_machines():
        return (resources.files("sima_compiler.machine") / "specs" / f"{name}.yaml").read_text("utf-8")
    path = Path(name)
    if not path.is_file():
        raise MachineError(
            f"no machine {name!r}: neither a bundled name nor a file",
            hint=f"bundled machines: {', '.join(known_machines())}",
        )
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MachineError(f"{name}: cannot be read as UTF-8 text: {error}") from error


def _check_names(raw: dict[Any, Any], origin: str) -> None:
    known = [field for field in fields(Machine) if field.name != "text"]
    wanted = {field.name for field in known}
    missing = sorted({field.name for field in known if field.default is MISSING} - set(raw))
    unknown = sorted(key if isinstance(key, str) else _shown(key) for key in set(raw) - wanted)
    if missing:
        raise MachineError(f"{origin}: missing field{'s' * (len(missing) > 1)} {', '.join(missing)}")
    if unknown:
        raise MachineError(
            f"{origin}: unknown field{'s' * (len(unknown) > 1)} {', '.join(unknown)}",
            hint=f"allowed: {', '.join(sorted(wanted))}",
        )


def _check_values(raw: dict[str, Any], origin: str) -> None:
    name = raw["name"]
    if not isinstance(name, str) or not name:
        raise MachineError(f"{origin}: name must be a text, found {_shown(name)}")
    for field in (name for name in LIMITS if name in raw):
        (low, high), value = LIMITS[field], raw[field]
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise MachineError(f"{origin}: {field} must be a whole number from {low} to {high}, found {_shown(value)}")
    if raw["tiles_per_quad"] % raw["tile_row"]:
        raise MachineError(f"{origin}: tile_row {raw['tile_row']} must divide tiles_per_quad {raw['tiles_per_quad']}")
    _check_vector_unit(raw, origin)


def _shown(value: object) -> str:
    """A value as messages show it; Python refuses to write numbers of thousands of digits."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _check_vector_unit(raw: dict[str, Any], origin: str) -> None:
    """The peak, and every bound that rests on it, is the array's: no vector unit may multiply faster."""
    cells, most = raw.get("depthwise_cells_per_step", 1), raw["lanes"] * raw.get("depthwise_step_cycles", 1)
    if cells > most:
        raise MachineError(
            f"{origin}: depthwise_cells_per_step {cells} must be at most {most}, lanes times depthwise_step_cycles",
            hint="a vector unit that multiplies faster than the array would run below the bounds; "
            "use fewer cells per step or more cycles per step",
        )
