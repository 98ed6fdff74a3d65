/**
 * One state that several views share. Setting tells every listener once, with what changed; setting what is already
 * so tells nobody, and that is what ends the echo between a page and its kernel.
 */

export type Listener<State> = (state: State, changed: ReadonlySet<keyof State>, origin: unknown) => void;

export interface Store<State extends object> {
  readonly get: () => State;
  readonly set: (patch: Partial<State>, origin?: unknown) => void;
  /** Calls `listener` after every change; gives the function that ends it. */
  readonly watch: (listener: Listener<State>) => () => void;
  /** Forgets every listener. */
  readonly clear: () => void;
}

export function createStore<State extends object>(initial: State): Store<State> {
  let state = initial;
  const listeners = new Set<Listener<State>>();
  const set = (patch: Partial<State>, origin?: unknown): void => {
    const changed = new Set<keyof State>();
    for (const key of Object.keys(patch) as (keyof State)[]) {
      if (!same(patch[key], state[key])) changed.add(key);
    }
    if (!changed.size) return;
    state = { ...state, ...patch };
    for (const listener of [...listeners]) listener(state, changed, origin);
  };
  return {
    get: () => state,
    set,
    watch: listener => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    clear: () => listeners.clear(),
  };
}

/** Equal by content for the values that a state holds: numbers, texts, and flat lists or records of them. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return left.length === right.length && left.every(([key, value]) => same(value, (b as Record<string, unknown>)[key]));
}
