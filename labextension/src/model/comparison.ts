/**
 * Two Views side by side. What is compared is decided in Python: which layers and files belong together, which cycles
 * both sides are measured by, and the totals.
 */
import type { ViewData } from "../columns.ts";
import type { Label } from "../contract.ts";
import { change, count, duration, percent, points, shortRate, size } from "./units.ts";
import type { Words } from "./words.ts";

/** Rows of the two Views; -1 stands for a layer that the other one does not have. */
export type Pair = readonly [before: number, after: number];

/** One number of the whole network; null where that side does not record it. */
export interface Total {
  readonly name: string;
  readonly label: string;
  readonly unit: "cycles" | "bytes" | "share" | "samples" | "rate" | "us" | "count";
  readonly before: number | null;
  readonly after: number | null;
}

/** One file in bytes; null where that archive lacks it. */
export interface FileChange {
  readonly name: string;
  readonly before: number | null;
  readonly after: number | null;
}

/** What Python says of the two (`Comparison.to_browser`). */
export interface Compared {
  readonly measure: "runtime_cycles" | "compute_cycles";
  readonly pairs: readonly Pair[];
  readonly totals: readonly Total[];
  readonly files: readonly FileChange[];
  /** What makes the two hard to compare, in sentences. */
  readonly notes: readonly string[];
  /** Percent of change that a layer must exceed to be listed at first. */
  readonly over?: number;
}

export interface ComparisonData extends Compared {
  readonly before: ViewData;
  readonly after: ViewData;
}

const NOT_RECORDED = "\u2013";

/** What a total was, what it became, and the change, as text. */
export function totalCells({ unit, before, after }: Total): readonly [string, string, string] {
  const write = (value: number | null) => (value === null ? NOT_RECORDED : WRITERS[unit](value));
  return [write(before), write(after), (unit === "share" ? points : change)(before, after)];
}

const WRITERS: Readonly<Record<Total["unit"], (value: number) => string>> = {
  cycles: count,
  samples: count,
  count,
  bytes: size,
  share: percent,
  rate: shortRate,
  us: value => duration(value, 1),
};

export function fileCells({ before, after }: FileChange, words: Words): readonly [string, string, string] {
  const write = (value: number | null) => (value === null ? NOT_RECORDED : size(value));
  const what = before === null ? words.__("added") : after === null ? words.__("gone") : change(before, after);
  return [write(before), write(after), what];
}

export interface CompareRow {
  readonly pair: Pair;
  readonly name: string;
  readonly other: string;
  readonly kind: Label | null;
  readonly before: number | null;
  readonly after: number | null;
  /** After less before; a layer that is missing counts as 0. */
  readonly change: number;
  readonly what: "changed" | "same" | "added" | "gone";
}

export type CompareOrder = "change" | "timeline" | "name";

export function rowsOf(data: ComparisonData): CompareRow[] {
  const { before, after, measure } = data;
  return data.pairs.map(pair => {
    const [left, right] = pair;
    const one = cyclesAt(before, left, measure);
    const other = cyclesAt(after, right, measure);
    const change = (other ?? 0) - (one ?? 0);
    const [data, row] = right >= 0 ? [after, right] : [before, left];
    return {
      pair,
      name: nameAt(data, row),
      other: right >= 0 ? nameAt(before, left) : "",
      kind: kindAt(data, row),
      before: one,
      after: other,
      change,
      what: left < 0 ? "added" : right < 0 ? "gone" : change ? "changed" : "same",
    };
  });
}

function nameAt({ tables: { layers } }: ViewData, row: number): string {
  return (row >= 0 && layers.get(row, "name")) || "";
}

function kindAt({ tables: { layers }, view }: ViewData, row: number): Label | null {
  const family = layers.get(row, "family");
  return view.palette.families.find(label => label.key === family) ?? null;
}

function cyclesAt({ tables: { layers } }: ViewData, row: number, measure: Compared["measure"]): number | null {
  return row < 0 ? null : layers.get(row, measure);
}

/** Rows whose cycles changed by more than `percent` of what they were; layers that came or went always count. */
export function overThreshold(rows: readonly CompareRow[], percent: number): CompareRow[] {
  if (percent <= 0) return [...rows];
  return rows.filter(
    row => row.what === "added" || row.what === "gone" || Math.abs(row.change) * 100 > percent * (row.before ?? 0),
  );
}

export function ordered(rows: readonly CompareRow[], order: CompareOrder): CompareRow[] {
  if (order === "timeline") return [...rows];
  if (order === "change") return [...rows].sort((one, other) => Math.abs(other.change) - Math.abs(one.change));
  const collator = new Intl.Collator("en", { numeric: true });
  return [...rows].sort((one, other) => collator.compare(one.name, other.name));
}
