/**
 * Two Views side by side. Which layers belong together is decided in Python (by source node, then by name and structure)
 * and comes as pairs of row numbers; -1 stands for a layer that the other one does not have.
 */
import type { ViewData } from "../columns.ts";
import type { Label } from "../contract.ts";

export type Pair = readonly [before: number, after: number];

export interface ComparisonData {
  readonly before: ViewData;
  readonly after: ViewData;
  readonly pairs: readonly Pair[];
  /** What makes the two hard to compare, in sentences. */
  readonly notes?: readonly string[];
  /** Percent of change that a layer must exceed to be listed at first. */
  readonly over?: number;
}

/** Both sides are measured the same way: runs where both record one, else the static schedules. */
export type Measure = "runtime_cycles" | "compute_cycles";

export function measureOf({ before, after }: ComparisonData): Measure {
  const recorded = [before, after].every(data => data.view.totals.runtime_cycles != null);
  return recorded ? "runtime_cycles" : "compute_cycles";
}

export interface CompareRow {
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
  const { before, after } = data;
  const measure = measureOf(data);
  return data.pairs.map(([left, right]) => {
    const one = cyclesAt(before, left, measure);
    const other = cyclesAt(after, right, measure);
    const change = (other ?? 0) - (one ?? 0);
    const [data, row] = right >= 0 ? [after, right] : [before, left];
    return {
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

function cyclesAt({ tables: { layers } }: ViewData, row: number, measure: Measure): number | null {
  if (row < 0) return null;
  const known = layers.get(row, measure);
  if (known !== null) return known;
  const [from, to] = [layers.get(row, "start_cycle"), layers.get(row, "end_cycle")];
  return from === null || to === null ? null : to - from + 1;
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
