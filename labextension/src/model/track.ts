/**
 * One lane of a timeline as columns, and its level of detail.
 *
 * In: intervals `[start, end)` in cycles with the layer that owns each and a category (an index into a legend). They may
 * overlap and leave gaps. Out: a track whose intervals are sorted by start and lie in sub-lanes that do not overlap; for
 * a visible range, the bars to paint, at most one per pixel and sub-lane: intervals below one pixel are merged, and
 * the bar says how many it stands for.
 */
import { gallop, lowerBound } from "./search.ts";

/** Intervals per block of sums: 32 keeps the sums small beside the data, and what is left of a pixel within two blocks. */
const BLOCK = 32;
/** Beyond this many rows a lane would take the page; what overlaps deeper is drawn in the last row. */
export const MOST_ROWS = 4;

export interface Columns {
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly layer: Int32Array;
}

/** One row of intervals that do not overlap (but for the last row of a deep pile). */
export interface Row extends Columns {
  /** The latest end up to and including each interval: finds what still runs at a cycle. */
  readonly reach: Float64Array;
}

export interface Track {
  readonly rows: readonly Row[];
  readonly count: number;
  readonly first: number;
  readonly last: number;
}

export interface Bars {
  /** How many bars are filled. */
  length: number;
  /** Left and right edge in whole pixels; right is at least left + 1. */
  left: Int32Array;
  right: Int32Array;
  category: Uint8Array;
  /** Index of the longest interval that the bar stands for. */
  index: Int32Array;
  /** Intervals that the bar stands for. */
  count: Int32Array;
}

/** Sums of cycles per block and category, by which a pixel of a thousand intervals gets its colour. */
export interface Shades {
  readonly category: Uint8Array;
  readonly kinds: number;
  readonly sums: Float64Array;
}

/** What is painted at all: 0 hides a layer, per layer. An empty array hides nothing. */
export type Mask = Uint8Array;

export function trackOf(columns: Columns): Track {
  const sorted = sortedByStart(columns);
  const rows = splitIntoRows(sorted);
  let last = 0;
  for (const row of rows) last = Math.max(last, row.reach[row.reach.length - 1] ?? 0);
  return { rows, count: sorted.start.length, first: sorted.start[0] ?? 0, last };
}

function sortedByStart(columns: Columns): Columns {
  const { start } = columns;
  let inOrder = true;
  for (let i = 1; i < start.length && inOrder; i++) inOrder = (start[i] as number) >= (start[i - 1] as number);
  if (inOrder) return columns;
  const order = Uint32Array.from(start, (_, index) => index);
  order.sort((a, b) => (start[a] as number) - (start[b] as number) || a - b);
  return picked(columns, order);
}

function picked(columns: Columns, order: ArrayLike<number>): Columns {
  const start = new Float64Array(order.length);
  const end = new Float64Array(order.length);
  const layer = new Int32Array(order.length);
  for (let i = 0; i < order.length; i++) {
    const from = order[i] as number;
    start[i] = columns.start[from] as number;
    end[i] = columns.end[from] as number;
    layer[i] = columns.layer[from] as number;
  }
  return { start, end, layer };
}

function splitIntoRows(columns: Columns): Row[] {
  const free: number[] = [];
  const members: number[][] = [];
  const { start, end } = columns;
  const place = new Uint8Array(start.length);
  for (let i = 0; i < start.length; i++) {
    let row = free.findIndex(at => at <= (start[i] as number));
    if (row < 0) row = free.length < MOST_ROWS ? free.push(0) - 1 : MOST_ROWS - 1;
    free[row] = Math.max(free[row] ?? 0, end[i] as number);
    place[i] = row;
  }
  if (free.length <= 1) return [withReach(columns)];
  for (let row = 0; row < free.length; row++) members.push([]);
  for (let i = 0; i < place.length; i++) members[place[i] as number]?.push(i);
  return members.map(indices => withReach(picked(columns, indices)));
}

function withReach(columns: Columns): Row {
  const reach = new Float64Array(columns.end.length);
  let furthest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < reach.length; i++) {
    furthest = Math.max(furthest, columns.end[i] as number);
    reach[i] = furthest;
  }
  return { ...columns, reach };
}

/** Sums for `row` when the layers have these categories. `kinds` is how many categories there are. */
export function shadesOf(row: Row, ofLayer: Uint8Array, kinds: number, mask: Mask): Shades {
  const category = new Uint8Array(row.start.length);
  const sums = new Float64Array(Math.ceil(row.start.length / BLOCK) * kinds);
  for (let i = 0; i < category.length; i++) {
    const layer = row.layer[i] as number;
    const kind = ofLayer[layer] ?? 0;
    category[i] = kind;
    if (mask.length && !mask[layer]) continue;
    const at = ((i / BLOCK) | 0) * kinds + kind;
    sums[at] = (sums[at] as number) + (row.end[i] as number) - (row.start[i] as number);
  }
  return { category, kinds, sums };
}

export function emptyBars(size = 256): Bars {
  return {
    length: 0,
    left: new Int32Array(size),
    right: new Int32Array(size),
    category: new Uint8Array(size),
    index: new Int32Array(size),
    count: new Int32Array(size),
  };
}

function grow(bars: Bars): void {
  const wider = emptyBars(bars.left.length * 2);
  wider.left.set(bars.left);
  wider.right.set(bars.right);
  wider.category.set(bars.category);
  wider.index.set(bars.index);
  wider.count.set(bars.count);
  Object.assign(bars, wider, { length: bars.length });
}

export interface Painting {
  readonly row: Row;
  readonly shades: Shades;
  readonly from: number;
  readonly factor: number;
  readonly width: number;
  readonly mask: Mask;
}

/** Fills `bars` with what to paint of one row. Nothing is allocated as long as `bars` is large enough. */
export function fillBars(painting: Painting, bars: Bars): void {
  const { row, from, factor, width, mask } = painting;
  bars.length = 0;
  let index = lowerBound(row.reach, from);
  const size = row.start.length;
  while (index < size) {
    const start = row.start[index] as number;
    const left = Math.floor((start - from) * factor);
    if (left >= width) break;
    const right = Math.floor(((row.end[index] as number) - from) * factor);
    if (right > left + 1) {
      if (!mask.length || mask[row.layer[index] as number]) {
        put(painting, bars, Math.max(left, 0), Math.min(right, width), index);
      }
      index++;
      continue;
    }
    // Everything that starts within this pixel and is too short to be seen becomes one bar.
    const next = gallop(row.start, from + (left + 1) / factor, index + 1);
    merge(painting, bars, left, index, next);
    index = next;
  }
}

function put(painting: Painting, bars: Bars, left: number, right: number, index: number): boolean {
  if (right <= 0) return false;
  const at = bars.length;
  if (at === bars.left.length) grow(bars);
  bars.left[at] = left;
  bars.right[at] = Math.max(right, left + 1);
  bars.category[at] = painting.shades.category[index] as number;
  bars.index[at] = index;
  bars.count[at] = 1;
  bars.length = at + 1;
  return true;
}

/** Intervals of one pixel that are looked at for its longest, where nothing is hidden. */
const LOOKED_AT = 32;

/** A pixel's intervals `[from, to)`: coloured by what takes most of it, wide as its longest needs. */
function merge(painting: Painting, bars: Bars, left: number, from: number, to: number): void {
  const { row, mask } = painting;
  // Where hundreds share a pixel a few of them stand for all, but the last: of intervals that do not overlap only that one
  // can reach beyond the pixel. Their colour comes from the sums, their count from the indices.
  const step = mask.length || to - from <= LOOKED_AT ? 1 : Math.ceil((to - from) / LOOKED_AT);
  let longest = -1;
  let length = -1;
  let count = 0;
  for (let i = to - 1; i >= from; i -= step) {
    if (mask.length && !mask[row.layer[i] as number]) continue;
    count++;
    const cycles = (row.end[i] as number) - (row.start[i] as number);
    if (cycles > length) {
      length = cycles;
      longest = i;
    }
  }
  if (longest < 0) return;
  const right = Math.floor(((row.end[longest] as number) - painting.from) * painting.factor);
  const edge = Math.min(Math.max(right, left + 1), painting.width);
  if (!put(painting, bars, Math.max(left, 0), edge, longest)) return;
  const at = bars.length - 1;
  bars.count[at] = step === 1 ? count : to - from;
  if (to - from > 1) bars.category[at] = commonest(painting.shades, row, mask, from, to);
}

const totals = new Float64Array(256);

function commonest(shades: Shades, row: Row, mask: Mask, from: number, to: number): number {
  totals.fill(0, 0, shades.kinds);
  let i = from;
  while (i < to) {
    if (i % BLOCK === 0 && i + BLOCK <= to) {
      const block = (i / BLOCK) * shades.kinds;
      for (let kind = 0; kind < shades.kinds; kind++) {
        totals[kind] = (totals[kind] as number) + (shades.sums[block + kind] as number);
      }
      i += BLOCK;
      continue;
    }
    if (!mask.length || mask[row.layer[i] as number]) {
      const kind = shades.category[i] as number;
      totals[kind] = (totals[kind] as number) + (row.end[i] as number) - (row.start[i] as number);
    }
    i++;
  }
  let best = 0;
  for (let kind = 1; kind < shades.kinds; kind++) {
    if ((totals[kind] as number) > (totals[best] as number)) best = kind;
  }
  return best;
}

/** The interval under `cycle`, or the nearest within `tolerance` cycles; -1 when there is none. */
export function intervalAt(row: Row, cycle: number, tolerance: number, mask: Mask): number {
  let best = -1;
  let distance = tolerance;
  for (let i = lowerBound(row.reach, cycle - tolerance); i < row.start.length; i++) {
    const start = row.start[i] as number;
    if (start > cycle + tolerance) break;
    if (mask.length && !mask[row.layer[i] as number]) continue;
    const away = Math.max(start - cycle, cycle - (row.end[i] as number), 0);
    if (away < distance || (best < 0 && away <= distance)) {
      best = i;
      distance = away;
    }
    if (away === 0) break;
  }
  return best;
}

/** How many intervals are merged into the pixel where this one starts; 1 where it is wide enough to stand alone. */
export function sharing(row: Row, index: number, from: number, factor: number): number {
  const left = Math.floor(((row.start[index] as number) - from) * factor);
  if (Math.floor(((row.end[index] as number) - from) * factor) > left + 1) return 1;
  const first = lowerBound(row.start, from + left / factor);
  return Math.max(1, gallop(row.start, from + (left + 1) / factor, index + 1) - Math.min(first, index));
}
