/**
 * What the explorer draws, made once from a View: columns per layer, lanes with their tracks, and groups to colour by.
 *
 * Everything on one axis of cycles, half open. "Cycles" of a layer are those of the run where they are recorded, else those
 * of the static schedule. What a file does not know is null, and `missing` says it in sentences.
 */
import type { Column, Table, Values, ViewData, ViewHead } from "../columns.ts";
import type { Label, Layer } from "../contract.ts";
import type { Range } from "./scale.ts";
import { type Columns, type Track, trackOf } from "./track.ts";
import { ENGLISH, type Words } from "./words.ts";

export type ColourMode = "kind" | "cause" | "utilisation";

export interface Lane {
  readonly key: string;
  readonly label: string;
  readonly note: string;
  readonly track: Track;
}

/** Layers by group: the colours of bars, the entries of the legend. */
export interface Grouping {
  readonly mode: ColourMode;
  readonly labels: readonly Label[];
  readonly ofLayer: Uint8Array;
  /** Layers and cycles in each group. */
  readonly counts: Uint32Array;
  readonly cycles: Float64Array;
}

export interface Profile {
  readonly view: ViewHead;
  readonly layers: Table<Layer>;
  readonly data: ViewData;
  readonly size: number;
  readonly ids: Int32Array;
  readonly indexOf: ReadonlyMap<number, number>;
  readonly cycles: Float64Array;
  /** Where a layer lies on the axis: its first and last cycle of any lane. */
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly lanes: readonly Lane[];
  readonly whole: Range;
  /** What shares are shares of: the cycles of the run, or of the static schedule. */
  readonly total: number;
  readonly clockMhz: number;
  readonly missing: readonly string[];
  readonly text: (index: number) => string;
}

export function profileOf(data: ViewData, words: Words = ENGLISH): Profile {
  const { layers } = data.tables;
  const size = layers.count;
  const known = layers.numbers("id");
  const ids = known ? Int32Array.from(known) : Int32Array.from({ length: size }, (_, index) => index);
  const indexOf = new Map<number, number>();
  for (let index = size - 1; index >= 0; index--) indexOf.set(ids[index] as number, index);
  const lanes = lanesOf(data, indexOf, words);
  const [start, end] = spansOf(lanes, size);
  const { totals, machine } = data.view;
  const last = lanes.reduce((most, lane) => Math.max(most, lane.track.last), 0);
  return {
    view: data.view,
    layers,
    data,
    size,
    ids,
    indexOf,
    cycles: cyclesOf(layers),
    start,
    end,
    lanes,
    whole: { from: 0, to: Math.max(last, totals.runtime_cycles ?? 0, 1) },
    total: totals.cycles,
    clockMhz: machine.clock_mhz,
    missing: missingOf(data, words),
    text: searchable(layers),
  };
}

const NOTHING: Values = [];

/** Cycles of the run, else of the schedule, else the length of the entry. Raw columns: this runs over a million layers. */
function cyclesOf(layers: Table<Layer>): Float64Array {
  const column = (name: keyof Layer & string) => layers.numbers(name) ?? NOTHING;
  const [run, compute] = [column("runtime_cycles"), column("compute_cycles")];
  const [first, last] = [column("start_cycle"), column("end_cycle")];
  const cycles = new Float64Array(layers.count);
  for (let row = 0; row < cycles.length; row++) {
    if (isKnown(run[row])) cycles[row] = run[row] as number;
    else if (isKnown(compute[row])) cycles[row] = compute[row] as number;
    else if (isKnown(first[row]) && isKnown(last[row]))
      cycles[row] = (last[row] as number) - (first[row] as number) + 1;
  }
  return cycles;
}

/** Not recorded is -1 or NaN in a column, undefined where there is none. */
function isKnown(value: number | undefined): boolean {
  return value !== undefined && value >= 0;
}

function lanesOf(data: ViewData, indexOf: ReadonlyMap<number, number>, words: Words): Lane[] {
  const { layers, events } = data.tables;
  const { palette, wordings } = data.view;
  const byEngine = rowsByEngine(data);
  const lanes = palette.engines.map((engine): Lane => {
    const columns = engineColumns(data, byEngine.get(engine.key) ?? [], indexOf);
    return { key: engine.key, label: engine.label, note: engine.note ?? "", track: trackOf(columns) };
  });
  if (!events.count) lanes.length = 0;
  const schedule = spanColumns(layers, "start_cycle", "end_cycle");
  lanes.unshift({ key: "static", label: words.__("static"), note: wordings["static"] ?? "", track: trackOf(schedule) });
  return lanes.filter(lane => lane.track.count);
}

/** The rows of each engine, by its key. */
function rowsByEngine(data: ViewData): Map<string, number[]> {
  const { events } = data.tables;
  const column = events.columns.get("engine");
  const byCode = new Map<number, number[]>();
  for (let row = 0; row < events.count; row++) {
    const code = column?.values[row] ?? -1;
    if (code < 0) continue;
    const known = byCode.get(code);
    if (known) known.push(row);
    else byCode.set(code, [row]);
  }
  return new Map([...byCode].map(([code, rows]) => [column?.texts?.[code] ?? "", rows]));
}

function engineColumns(data: ViewData, rows: readonly number[], indexOf: ReadonlyMap<number, number>): Columns {
  const { events } = data.tables;
  const [first, last, layer] = [events.numbers("start_cycle"), events.numbers("end_cycle"), events.numbers("layer")];
  const columns = {
    start: new Float64Array(rows.length),
    end: new Float64Array(rows.length),
    layer: new Int32Array(rows.length),
  };
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at] as number;
    columns.start[at] = first?.[row] ?? 0;
    columns.end[at] = (last?.[row] ?? -1) + 1;
    columns.layer[at] = indexOf.get(layer?.[row] ?? -1) ?? -1;
  }
  return columns;
}

function spanColumns(layers: Table<Layer>, first: "start_cycle", last: "end_cycle"): Columns {
  const [from, to] = [layers.numbers(first) ?? NOTHING, layers.numbers(last) ?? NOTHING];
  let size = 0;
  const columns = {
    start: new Float64Array(layers.count),
    end: new Float64Array(layers.count),
    layer: new Int32Array(layers.count),
  };
  for (let row = 0; row < layers.count; row++) {
    if (!isKnown(from[row]) || !isKnown(to[row])) continue;
    columns.start[size] = from[row] as number;
    columns.end[size] = (to[row] as number) + 1;
    columns.layer[size++] = row;
  }
  return {
    start: columns.start.subarray(0, size),
    end: columns.end.subarray(0, size),
    layer: columns.layer.subarray(0, size),
  };
}

/**
 * The stretch of the axis that a layer takes: its compute in the run; where it has none, its transfers; where the run is not
 * recorded, its place in the schedule. Weights may be loaded long before: they do not make a layer part of that time.
 */
function spansOf(lanes: readonly Lane[], size: number): [Float64Array, Float64Array] {
  const start = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  const end = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
  const isTransfer = (lane: Lane) => lane.key !== "static" && lane.key !== "compute";
  for (const kind of [
    lanes.filter(lane => lane.key === "compute"),
    lanes.filter(isTransfer),
    lanes.filter(lane => lane.key === "static"),
  ]) {
    const known = end.slice();
    for (const lane of kind) extend(lane, start, end, known);
  }
  return [start, end];
}

function extend(lane: Lane, start: Float64Array, end: Float64Array, known: Float64Array): void {
  for (const row of lane.track.rows) {
    for (let i = 0; i < row.start.length; i++) {
      const layer = row.layer[i] as number;
      if (layer < 0 || Number.isFinite(known[layer] as number)) continue;
      start[layer] = Math.min(start[layer] as number, row.start[i] as number);
      end[layer] = Math.max(end[layer] as number, row.end[i] as number);
    }
  }
}

/** Everything that a word of the filter may be found in; made when first asked for, kept per layer. */
function searchable(layers: Table<Layer>): (index: number) => string {
  const made: string[] = [];
  return index => {
    made[index] ??= [
      layers.get(index, "name"),
      layers.get(index, "operator"),
      layers.get(index, "family"),
      layers.get(index, "bound_by"),
      ...layers.list(index, "sources"),
    ]
      .join(" ")
      .toLowerCase();
    return made[index];
  };
}

/** What a reader would miss, in sentences: rows that a shortened View lacks, and what the file does not say. */
function missingOf({ view }: ViewData, words: Words): string[] {
  const unknown = view.not_recorded ?? [];
  return unknown.length ? [words.__("Not recorded: %1.", unknown.join(", "))] : [];
}

function utilisations(words: Words): readonly Label[] {
  return [
    step("u0", words.__("under 20 %"), "#3b2f73", "checks"),
    step("u1", words.__("20 to 40 %"), "#3e6a8e", "diagonal"),
    step("u2", words.__("40 to 60 %"), "#2a9c88", "dots"),
    step("u3", words.__("60 to 80 %"), "#7fca5c", "horizontal"),
    step("u4", words.__("80 % and more"), "#f0e442", "solid"),
    step("none", words.__("no multiply-accumulates"), "#999999", "vertical"),
  ];
}

function notRecorded(words: Words): Label {
  return step("", words.__("not recorded"), "#999999", "checks");
}

function step(key: string, label: string, colour: string, pattern: string): Label {
  return { key, label, colour, pattern, note: "", is_stall: false };
}

/** The label of a key; a key that the palette does not know is its own label, in grey. */
export function labelOf(labels: readonly Label[], key: string): Label {
  return labels.find(label => label.key === key) ?? step(key, key.replaceAll("_", " "), "#999999", "checks");
}

export function groupingOf(profile: Profile, mode: ColourMode, words: Words = ENGLISH): Grouping {
  const { layers, view, size, cycles } = profile;
  const [labels, groupOf] =
    mode === "kind"
      ? byKey(view.palette.families, layers.columns.get("family"), words)
      : mode === "cause"
        ? byCause(profile, words)
        : byUtilisation(layers, words);
  const ofLayer = new Uint8Array(size);
  const counts = new Uint32Array(labels.length);
  const sums = new Float64Array(labels.length);
  for (let row = 0; row < size; row++) {
    const group = groupOf(row);
    ofLayer[row] = group;
    counts[group] = (counts[group] as number) + 1;
    sums[group] = (sums[group] as number) + (cycles[row] as number);
  }
  return { mode, labels, ofLayer, counts, cycles: sums };
}

type Groups = [readonly Label[], (row: number) => number];

/** Groups by a text column: each of its codes is looked up once, not each row. */
function byKey(labels: readonly Label[], column: Column | undefined, words: Words): Groups {
  const places = new Map(labels.map((label, index) => [label.key, index]));
  const ofCode = new Map<number, number>();
  const find = (row: number): number => {
    const code = column?.values[row] ?? -1;
    let group = ofCode.get(code);
    if (group === undefined) {
      group = places.get(column?.texts?.[code] ?? "") ?? labels.length;
      ofCode.set(code, group);
    }
    return group;
  };
  return [[...labels, notRecorded(words)], find];
}

/** A layer's cause is the one that takes most of its cycles. */
function byCause({ layers, view }: Profile, words: Words): Groups {
  const { causes } = view.palette;
  const column = layers.columns.get("cause_cycles");
  return [
    [...causes, notRecorded(words)],
    row => {
      const from = column?.starts?.[row] ?? 0;
      const to = column?.starts?.[row + 1] ?? 0;
      let best = causes.length;
      let most = 0;
      for (let at = from; at < to; at++) {
        const value = column?.values[at] ?? 0;
        if (value > most) [best, most] = [at - from, value];
      }
      return Math.min(best, causes.length);
    },
  ];
}

function byUtilisation(layers: Table<Layer>, words: Words): Groups {
  const steps = utilisations(words);
  return [
    [...steps, notRecorded(words)],
    row => {
      const value = layers.get(row, "utilization");
      if (value === null) return steps.length;
      if (!value && !layers.get(row, "macs")) return steps.length - 1;
      return Math.min(4, Math.floor(value * 5));
    },
  ];
}

export interface Part {
  readonly label: Label;
  readonly cycles: number;
}

/** The causes of the whole run, in the palette's order; null where they are not recorded. */
export function wholeCauses({ palette, totals }: ViewHead): readonly Part[] | null {
  const cycles = totals.cause_cycles ?? [];
  return cycles.length ? palette.causes.map((label, at) => ({ label, cycles: cycles[at] ?? 0 })) : null;
}

/** The causes of a set of layers (all: null), in the palette's order; null where they are not recorded. */
export function causesOf(profile: Profile, chosen: readonly number[] | null): readonly Part[] | null {
  const { causes } = profile.view.palette;
  if (!chosen) return wholeCauses(profile.view);
  const sums = causes.map(() => 0);
  let known = false;
  for (const row of chosen) {
    profile.layers.list(row, "cause_cycles").forEach((cycles, at) => {
      known = true;
      sums[at] = (sums[at] ?? 0) + cycles;
    });
  }
  return known ? causes.map((label, at) => ({ label, cycles: sums[at] ?? 0 })) : null;
}
