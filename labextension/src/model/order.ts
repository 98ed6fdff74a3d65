/** The order of rows, and which rows a filter leaves. Rows are layers, by index; columns are typed arrays or strings. */

/** Indices sorted by a numeric column, ties by index. One native sort of numbers where value and index fit into one. */
export function byNumber(values: ArrayLike<number>, descending = false): Uint32Array {
  const size = values.length;
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  let whole = true;
  for (let i = 0; i < size; i++) {
    const value = values[i] as number;
    whole = whole && Number.isInteger(value);
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  if (!descending && isRising(values)) return identity(size);
  if (whole && size > 0 && (most - least + 1) * size <= Number.MAX_SAFE_INTEGER) {
    return byPackedKey(values, descending ? most : least, descending ? -1 : 1);
  }
  const sign = descending ? -1 : 1;
  // A value that is not known goes last whichever way the rest is sorted.
  const key = (value: number) => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : sign * value);
  return identity(size).sort((a, b) => {
    const [x, y] = [key(values[a] as number), key(values[b] as number)];
    return x === y ? a - b : x < y ? -1 : 1;
  });
}

function isRising(values: ArrayLike<number>): boolean {
  for (let at = 1; at < values.length; at++) {
    // Written so that a value that is not a number is no rise.
    if (!((values[at] as number) >= (values[at - 1] as number))) return false;
  }
  return true;
}

function identity(size: number): Uint32Array {
  const order = new Uint32Array(size);
  for (let at = 0; at < size; at++) order[at] = at;
  return order;
}

function byPackedKey(values: ArrayLike<number>, base: number, sign: 1 | -1): Uint32Array {
  const size = values.length;
  const keys = new Float64Array(size);
  for (let i = 0; i < size; i++) keys[i] = sign * ((values[i] as number) - base) * size + i;
  keys.sort();
  const order = new Uint32Array(size);
  for (let at = 0; at < size; at++) order[at] = (keys[at] as number) % size;
  return order;
}

/** Indices sorted by text as people expect it: `conv_2` before `conv_10`. */
export function byText(texts: readonly string[], descending = false): Uint32Array {
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const sign = descending ? -1 : 1;
  return identity(texts.length).sort(
    (a, b) => sign * collator.compare(texts[a] as string, texts[b] as string) || a - b,
  );
}

/** The members of `order` that `mask` keeps, in that order. */
export function kept(order: Uint32Array, mask: Uint8Array): Uint32Array {
  let size = 0;
  const found = new Uint32Array(order.length);
  for (let i = 0; i < order.length; i++) {
    const index = order[i] as number;
    if (mask[index]) found[size++] = index;
  }
  return found.slice(0, size);
}
