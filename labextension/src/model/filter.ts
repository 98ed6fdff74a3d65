/**
 * Which layers are shown: words, fewest cycles, a range of cycles, and the groups that the legend switches off.
 *
 * Words are separated by spaces and must all be found, in any case, in a layer's name, kind or source nodes; a word in
 * quotation marks may hold spaces, and a minus sign in front means "not".
 */

export interface Word {
  readonly text: string;
  readonly negated: boolean;
}

export interface LayerFilter {
  readonly words: readonly Word[];
  readonly least: number;
  /** Cycles of which a layer must touch some; null for all layers, also those that have no place on the axis. */
  readonly range: readonly [number, number] | null;
  /** 1 for each group that is hidden. */
  readonly hidden: Uint8Array;
}

export interface Filterable {
  readonly size: number;
  readonly cycles: Float64Array;
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly group: Uint8Array;
  /** Text of a layer in lower case: everything that a word may be found in. */
  readonly text: (index: number) => string;
}

export interface Shown {
  readonly mask: Uint8Array;
  readonly count: number;
  readonly cycles: number;
}

export function wordsOf(query: string): Word[] {
  const found: Word[] = [];
  for (const match of query.toLowerCase().matchAll(/(-?)(?:"([^"]*)"?|(\S+))/g)) {
    const text = match[2] ?? match[3] ?? "";
    if (text) found.push({ text, negated: match[1] === "-" });
  }
  return found;
}

export function matches(text: string, words: readonly Word[]): boolean {
  return words.every(word => text.includes(word.text) !== word.negated);
}

export function shownOf(layers: Filterable, filter: LayerFilter): Shown {
  const mask = new Uint8Array(layers.size);
  let count = 0;
  let cycles = 0;
  const { range } = filter;
  for (let i = 0; i < layers.size; i++) {
    const own = layers.cycles[i] as number;
    if (own < filter.least || filter.hidden[layers.group[i] as number]) continue;
    if (range && !((layers.end[i] as number) > range[0] && (layers.start[i] as number) < range[1])) continue;
    if (filter.words.length && !matches(layers.text(i), filter.words)) continue;
    mask[i] = 1;
    count++;
    cycles += own;
  }
  return { mask, count, cycles };
}

/**
 * A slider with steps that are useful from the smallest layer to the largest: step 0 is "all", the rest are spaced
 * evenly on a logarithmic scale and round.
 */
export function thresholds(cycles: ArrayLike<number>, steps = 40): number[] {
  let most = 0;
  for (let i = 0; i < cycles.length; i++) most = Math.max(most, cycles[i] as number);
  const found = [0];
  for (let step = 0; step <= steps && most > 1; step++) {
    const value = Number((most ** (step / steps)).toPrecision(2));
    if (value <= most && value > (found.at(-1) ?? 0)) found.push(value);
  }
  return found;
}
