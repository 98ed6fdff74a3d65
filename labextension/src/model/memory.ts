/** The memory map as columns: which bytes of which segment hold what, from which cycle to which. */
import type { Table } from "../columns.ts";
import type { Label, MemoryBuffer } from "../contract.ts";
import type { Profile } from "./profile.ts";
import type { Range } from "./scale.ts";

export interface MemoryMap {
  readonly segment: string;
  readonly file: string;
  readonly buffers: Table<MemoryBuffer>;
  /** Rows of `buffers` that belong to the segment. */
  readonly rows: readonly number[];
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly address: Float64Array;
  readonly bytes: Float64Array;
  readonly kind: Uint8Array;
  readonly late: Uint8Array;
  readonly layers: readonly (readonly number[])[];
  readonly whole: Range;
  /** True where positions are cycles; false where only steps are recorded. */
  readonly inCycles: boolean;
  readonly capacity: number;
  /** The highest address that any buffer reaches. */
  readonly top: number;
  readonly peak: { readonly bytes: number; readonly at: number };
  readonly reported: number | null;
}

export function memoryMaps(profile: Profile): MemoryMap[] {
  const { memory_map: buffers } = profile.data.tables;
  const bySegment = new Map<string, number[]>();
  for (let row = 0; row < buffers.count; row++) {
    const segment = buffers.get(row, "segment") ?? "";
    const rows = bySegment.get(segment);
    if (rows) rows.push(row);
    else bySegment.set(segment, [row]);
  }
  return [...bySegment].map(([segment, rows]) => mapOf(profile, buffers, segment, rows));
}

function mapOf(profile: Profile, buffers: Table<MemoryBuffer>, segment: string, rows: readonly number[]): MemoryMap {
  const inCycles = rows.every(
    row => buffers.get(row, "start_cycle") !== null && buffers.get(row, "end_cycle") !== null,
  );
  const column = (name: "start_cycle" | "end_cycle" | "first_step" | "last_step" | "address" | "bytes", plus = 0) =>
    Float64Array.from(rows, row => (buffers.get(row, name) ?? 0) + plus);
  const start = column(inCycles ? "start_cycle" : "first_step");
  const end = column(inCycles ? "end_cycle" : "last_step", 1);
  const [address, bytes] = [column("address"), column("bytes")];
  const found = profile.view.segments.find(known => known.name === segment);
  const labels = profile.view.palette.buffers;
  const top = rows.reduce((most, _, at) => Math.max(most, (address[at] as number) + (bytes[at] as number)), 0);
  return {
    segment,
    file: found?.file ?? "",
    buffers,
    rows,
    start,
    end,
    address,
    bytes,
    kind: Uint8Array.from(rows, row => kindAt(labels, buffers.get(row, "kind"))),
    late: Uint8Array.from(rows, row => Number(isLate(buffers, row))),
    layers: rows.map(row => buffers.list(row, "layers").map(id => profile.indexOf.get(id) ?? -1)),
    whole: rangeOf(start, end),
    inCycles,
    capacity: Math.max(found?.on_chip_bytes ?? profile.view.machine.on_chip_bytes ?? 0, top),
    top,
    peak: peakOf(start, end, bytes),
    reported: found?.peak_bytes ?? null,
  };
}

function kindAt(labels: readonly Label[], key: string | null): number {
  const at = labels.findIndex(label => label.key === key);
  return at < 0 ? labels.length : at;
}

/** Held longer than anything uses it. */
function isLate(buffers: Table<MemoryBuffer>, row: number): boolean {
  const [used, last] = [buffers.get(row, "last_use_step"), buffers.get(row, "last_step")];
  return used !== null && last !== null && used < last;
}

function rangeOf(start: Float64Array, end: Float64Array): Range {
  let from = Number.POSITIVE_INFINITY;
  let to = 0;
  for (let at = 0; at < start.length; at++) {
    from = Math.min(from, start[at] as number);
    to = Math.max(to, end[at] as number);
  }
  return { from: Number.isFinite(from) ? from : 0, to: Math.max(to, 1) };
}

/** Most bytes alive at once, and when that is first so. */
export function peakOf(start: Float64Array, end: Float64Array, bytes: Float64Array): { bytes: number; at: number } {
  const changes: [number, number][] = [];
  for (let at = 0; at < start.length; at++) {
    changes.push([start[at] as number, bytes[at] as number], [end[at] as number, -(bytes[at] as number)]);
  }
  // What is freed at a cycle is free for what begins there.
  changes.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
  let alive = 0;
  let peak = { bytes: 0, at: 0 };
  for (const [at, change] of changes) {
    alive += change;
    if (alive > peak.bytes) peak = { bytes: alive, at };
  }
  return peak;
}

/** The buffer at a cycle and an address; -1 where the memory is free. */
export function bufferAt(map: MemoryMap, cycle: number, address: number): number {
  for (let at = map.rows.length - 1; at >= 0; at--) {
    const [low, high] = [map.address[at] as number, (map.address[at] as number) + (map.bytes[at] as number)];
    if (address >= low && address < high && cycle >= (map.start[at] as number) && cycle < (map.end[at] as number))
      return at;
  }
  return -1;
}
