/**
 * What somebody asked for in one document, to be filled into the form of another: the batch size of a compile at another
 * size. An application that opens documents as pages of their own (Notebook 7) leaves it for that page.
 */
export interface Asked {
  readonly batch_size: number | null;
}

export const NOTHING_ASKED: Asked = { batch_size: null };

const placeOf = (path: string) => `sima-nb:asked:${path}`;

export function leaveAsked(path: string, asked: Asked): void {
  try {
    localStorage.setItem(placeOf(path), JSON.stringify(asked));
  } catch {
    // A browser that keeps nothing: the form opens with its defaults.
  }
}

/** What was left for the form of that model; it is there once. */
export function takeAsked(path: string): Asked {
  try {
    const found = JSON.parse(localStorage.getItem(placeOf(path)) ?? "null") as Partial<Asked> | null;
    localStorage.removeItem(placeOf(path));
    return { batch_size: Number.isInteger(found?.batch_size) ? (found?.batch_size ?? null) : null };
  } catch {
    return NOTHING_ASKED;
  }
}
