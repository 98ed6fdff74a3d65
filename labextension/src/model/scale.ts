/**
 * The axis of cycles: a visible range, its pixels, zooming, panning and round tick positions.
 *
 * Ranges are half open, `[from, to)`, in cycles. All functions are pure and give a new range.
 */

export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface Scale extends Range {
  /** Pixels per cycle. */
  readonly factor: number;
  readonly width: number;
}

/** Nothing useful is seen below this many cycles across the whole axis. */
export const NARROWEST = 8;

export function scaleOf(range: Range, width: number): Scale {
  const span = Math.max(range.to - range.from, 1e-9);
  return { from: range.from, to: range.to, width, factor: width / span };
}

export function toPixel(scale: Scale, cycle: number): number {
  return (cycle - scale.from) * scale.factor;
}

export function toCycle(scale: Scale, pixel: number): number {
  return scale.from + pixel / scale.factor;
}

/** `range` moved and, if it is too wide, cut so that it lies within `whole`. */
export function within(range: Range, whole: Range): Range {
  const total = Math.max(whole.to - whole.from, 1);
  const span = Math.min(Math.max(range.to - range.from, Math.min(NARROWEST, total)), total);
  const from = Math.min(Math.max(range.from, whole.from), whole.from + total - span);
  return { from, to: from + span };
}

/** Zooms by `factor` (below 1 is closer) so that the cycle `at` keeps its place. */
export function zoomed(range: Range, factor: number, at: number, whole: Range): Range {
  const span = range.to - range.from;
  const wanted = Math.min(Math.max(span * factor, NARROWEST), whole.to - whole.from);
  const share = span > 0 ? (at - range.from) / span : 0.5;
  const from = at - wanted * share;
  return within({ from, to: from + wanted }, whole);
}

/** Moves by a share of what is visible: -0.5 is half a screen to the left. */
export function panned(range: Range, share: number, whole: Range): Range {
  const by = (range.to - range.from) * share;
  return within({ from: range.from + by, to: range.to + by }, whole);
}

/** The least movement of `range` that shows `[from, to)`; zooms out if that is longer than what is visible. */
export function revealing(range: Range, from: number, to: number, whole: Range): Range {
  const span = range.to - range.from;
  if (from >= range.from && to <= range.to) return range;
  const margin = Math.min(span, to - from) * 0.1;
  if (to - from > span) return within({ from: from - margin, to: to + margin }, whole);
  const start = from < range.from ? from - margin : to + margin - span;
  return within({ from: start, to: start + span }, whole);
}

/** Round positions inside `range`, 1, 2 or 5 times a power of ten apart, at most `most` of them. */
export function ticks(range: Range, most: number): number[] {
  const span = range.to - range.from;
  if (!(span > 0) || most < 1) return [];
  const step = tickStep(span / most);
  const found: number[] = [];
  const first = Math.ceil(range.from / step);
  for (let index = first; index * step < range.to && found.length < most + 1; index++) {
    found.push(Number((index * step).toPrecision(12)));
  }
  return found;
}

/** The smallest 1, 2 or 5 times a power of ten that is at least `least`. */
export function tickStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const digit = [1, 2, 5, 10].find(candidate => candidate * power >= least * (1 - 1e-9)) ?? 10;
  return digit * power;
}
