/** Binary search in sorted columns. */

/** The first index whose value is at least `wanted`; `to` when there is none. */
export function lowerBound(sorted: ArrayLike<number>, wanted: number, from = 0, to = sorted.length): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Like `lowerBound`, for a target that is near `from`: doubles its steps first, so near is cheap. */
export function gallop(sorted: ArrayLike<number>, wanted: number, from: number): number {
  let step = 1;
  let low = from;
  let high = from;
  while (high < sorted.length && (sorted[high] as number) < wanted) {
    low = high + 1;
    high += step;
    step *= 2;
  }
  return lowerBound(sorted, wanted, low, Math.min(high, sorted.length));
}
