/**
 * Which rows of a long table are in view. Only those are in the document.
 *
 * Browsers stop at some 17 million pixels of height, which a million rows exceed: beyond `TALLEST` the scroll bar is
 * scaled, so that its ends are still the first and the last row.
 */

export const TALLEST = 8_000_000;

export interface Viewport {
  readonly rows: number;
  readonly rowHeight: number;
  readonly height: number;
  readonly scrollTop: number;
}

export interface Window {
  /** First row and the row behind the last one that are rendered. */
  readonly first: number;
  readonly last: number;
  /** Where the first rendered row lies, in pixels of the scrolled content. */
  readonly offset: number;
  /** Height of the scrolled content. */
  readonly total: number;
}

/** Rows rendered beyond either edge, so that a fast wheel shows no gap before the next frame. */
const SPARE = 8;

export function visibleRows(view: Viewport): Window {
  const real = view.rows * view.rowHeight;
  const total = Math.min(real, TALLEST);
  const top = trueTop(view, real, total);
  const first = Math.max(0, Math.floor(top / view.rowHeight) - SPARE);
  const last = Math.min(view.rows, Math.ceil((top + view.height) / view.rowHeight) + SPARE);
  return { first, last, offset: first * view.rowHeight - top + view.scrollTop, total };
}

function trueTop(view: Viewport, real: number, total: number): number {
  if (real <= total) return Math.max(0, view.scrollTop);
  const reach = Math.max(1, total - view.height);
  return Math.min(1, Math.max(0, view.scrollTop / reach)) * (real - view.height);
}

/** The scroll position that shows `row` fully, moving as little as possible. */
export function scrollTo(view: Viewport, row: number): number {
  const real = view.rows * view.rowHeight;
  const total = Math.min(real, TALLEST);
  const top = trueTop(view, real, total);
  const upper = row * view.rowHeight;
  const wanted =
    upper < top ? upper : upper + view.rowHeight > top + view.height ? upper + view.rowHeight - view.height : top;
  if (wanted === top) return view.scrollTop;
  if (real <= total) return wanted;
  return (wanted / Math.max(1, real - view.height)) * (total - view.height);
}
