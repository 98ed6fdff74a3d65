/**
 * What keys mean, apart from the elements that receive them.
 *
 * Only keys without Ctrl, Meta or Alt are ours: browsers and screen readers own the rest.
 */

export interface Key {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

export function isPlain(key: Key): boolean {
  return !key.ctrlKey && !key.metaKey && !key.altKey;
}

/** The row that a key moves to among `rows` rows, `page` of which are visible; null for keys that do not move. */
export function rowAfter(key: Key, row: number, rows: number, page: number): number | null {
  if (!rows || !isPlain(key)) return null;
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[key.key];
  if (step !== undefined) {
    if (row < 0) return step > 0 ? 0 : rows - 1;
    return Math.min(rows - 1, Math.max(0, row + step));
  }
  if (key.key === "Home") return 0;
  if (key.key === "End") return rows - 1;
  return null;
}

/** One node of a tree that is written as a list in reading order. */
export interface Branch {
  readonly level: number;
  readonly open: boolean | null;
}

export type TreeMove =
  | { readonly kind: "move"; readonly to: number }
  | { readonly kind: "open" | "close" | "activate" | "toggle"; readonly at: number };

/** What a key does in a tree (the pattern of the ARIA practices): `branches` are the visible nodes, `at` the focused one. */
export function treeMove(key: Key, branches: readonly Branch[], at: number, page = 10): TreeMove | null {
  const here = branches[at];
  if (!here || !isPlain(key)) return null;
  const moved = rowAfter(key, at, branches.length, page);
  if (moved !== null) return { kind: "move", to: moved };
  if (key.key === "ArrowRight") {
    if (here.open === false) return { kind: "open", at };
    const child = branches[at + 1];
    return here.open && child && child.level > here.level ? { kind: "move", to: at + 1 } : null;
  }
  if (key.key === "ArrowLeft") {
    if (here.open) return { kind: "close", at };
    const parent = parentOf(branches, at);
    return parent < 0 ? null : { kind: "move", to: parent };
  }
  if (key.key === "Enter") return { kind: "activate", at };
  if (key.key === " ") return { kind: "toggle", at };
  return null;
}

function parentOf(branches: readonly Branch[], at: number): number {
  const level = branches[at]?.level ?? 0;
  for (let index = at - 1; index >= 0; index--) {
    if ((branches[index]?.level ?? 0) < level) return index;
  }
  return -1;
}

/** Type-ahead: the next node after `at` whose label starts with what was typed, going round; -1 when there is none. */
export function typedAhead(labels: readonly string[], at: number, typed: string): number {
  const wanted = typed.toLowerCase();
  // The same letter again goes on to the next node; more letters narrow down from where one is.
  const first = typed.length > 1 ? at : at + 1;
  for (let step = 0; step < labels.length; step++) {
    const index = (first + step) % labels.length;
    if (labels[index]?.toLowerCase().startsWith(wanted)) return index;
  }
  return -1;
}

export type AxisMove =
  | "left"
  | "right"
  | "closer"
  | "further"
  | "all"
  | "previous"
  | "next"
  | "first"
  | "last"
  | "clear"
  | "up"
  | "down";

/** What a key does on the timeline. Arrows go from layer to layer; Shift and arrows move the axis. */
export function axisMove(key: Key): AxisMove | null {
  if (!isPlain(key)) return null;
  const shifted: Record<string, AxisMove> = {
    ArrowLeft: "left",
    ArrowRight: "right",
    ArrowUp: "closer",
    ArrowDown: "further",
  };
  const plain: Record<string, AxisMove> = {
    ArrowLeft: "previous",
    ArrowRight: "next",
    ArrowUp: "up",
    ArrowDown: "down",
    Home: "first",
    End: "last",
    "+": "closer",
    "=": "closer",
    "-": "further",
    "0": "all",
    Escape: "clear",
  };
  return (key.shiftKey ? (shifted[key.key] ?? plain[key.key]) : plain[key.key]) ?? null;
}
