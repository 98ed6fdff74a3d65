/**
 * The explorer's one state, and everything that follows from it: which layers are shown, in which order, which are
 * chosen, how they are coloured. Derived values are made when first asked for and kept until what they come from changes.
 */
import type { PageState, ViewState } from "../hosts/host.ts";
import { type Filterable, type Shown, shownOf, wordsOf } from "./filter.ts";
import { byNumber, byText, kept } from "./order.ts";
import { type Grouping, groupingOf, type Profile } from "./profile.ts";
import { createStore, type Store } from "./store.ts";
import { ENGLISH, type Words } from "./words.ts";

export interface ExplorerState extends ViewState, PageState {}

export const INITIAL: ExplorerState = {
  selected: [],
  filter: "",
  range: null,
  unit: "cycles",
  order: "timeline",
  colour: "kind",
  layout: "lanes",
  least: 0,
  hidden: [],
};

/** What a host may set and hears about; the rest is the page's own, which a host may keep. */
export const SHARED = ["selected", "filter", "range", "unit", "order", "colour"] as const;

export const OWN = ["layout", "least", "hidden"] as const;

export interface Derived {
  readonly profile: Profile;
  readonly store: Store<ExplorerState>;
  readonly words: Words;
  readonly grouping: () => Grouping;
  /** Layers that pass words, slider and legend, whatever the range. */
  readonly passing: () => Shown;
  /** The same as what is painted: empty where nothing is hidden, which spares a look at every interval. */
  readonly painted: () => Uint8Array;
  /** Layers that pass and lie in the range too. */
  readonly shown: () => Shown;
  /** Indices of the shown layers in the chosen order. */
  readonly order: () => Uint32Array;
  /** Most cycles of any layer, at least 1. */
  readonly longest: () => number;
  /** Indices of the selected layers. */
  readonly chosen: () => readonly number[];
}

const NOTHING_HIDDEN = new Uint8Array(0);

export function derive(profile: Profile, store: Store<ExplorerState>, words: Words = ENGLISH): Derived {
  const state = store.get;
  const grouping = kept1(
    () => [state().colour],
    () => groupingOf(profile, state().colour, words),
  );
  const filterable = (): Filterable => ({
    size: profile.size,
    cycles: profile.cycles,
    start: profile.start,
    end: profile.end,
    group: grouping().ofLayer,
    text: profile.text,
  });
  const passing = kept1(
    () => [state().filter, state().least, state().hidden, grouping()],
    () => shownOf(filterable(), { ...filterOf(state(), grouping()), range: null }),
  );
  const painted = kept1(
    () => [passing()],
    () => (passing().count === profile.size ? NOTHING_HIDDEN : passing().mask),
  );
  const shown = kept1(
    () => [passing(), state().range],
    () => {
      const { range } = state();
      if (!range) return passing();
      return shownOf(filterable(), { ...filterOf(state(), grouping()), range });
    },
  );
  const sorted = kept1(
    () => [state().order],
    () => sortedOf(profile, state().order),
  );
  const order = kept1(
    () => [sorted(), shown()],
    () => kept(sorted(), shown().mask),
  );
  const chosen = kept1(
    () => [state().selected],
    () => state().selected.flatMap(id => profile.indexOf.get(id) ?? []),
  );
  const longest = kept1(
    () => [],
    () => profile.cycles.reduce((most, cycles) => Math.max(most, cycles), 1),
  );
  return { profile, store, words, grouping, passing, painted, shown, order, chosen, longest };
}

function kept1<Value>(inputs: () => readonly unknown[], make: () => Value): () => Value {
  let before: readonly unknown[] | null = null;
  let value: Value;
  return () => {
    const now = inputs();
    if (!before || now.some((item, at) => !Object.is(item, before?.[at]))) {
      before = now;
      value = make();
    }
    return value;
  };
}

function filterOf(state: ExplorerState, grouping: Grouping) {
  const hidden = Uint8Array.from(grouping.labels, label => Number(state.hidden.includes(label.key)));
  return { words: wordsOf(state.filter), least: state.least, hidden };
}

function sortedOf(profile: Profile, order: ExplorerState["order"]): Uint32Array {
  if (order === "cycles") return byNumber(profile.cycles, true);
  if (order === "timeline") return byNumber(profile.start);
  return byText(Array.from({ length: profile.size }, (_, row) => profile.layers.get(row, "name") ?? ""));
}

/** A state as a host gave it: what is not understood is left out, so that an old notebook cannot break a new page. */
export function understood(patch: Partial<Record<string, unknown>>): Partial<ExplorerState> {
  const found: Record<string, unknown> = {};
  if (Array.isArray(patch["selected"])) found["selected"] = patch["selected"].filter(Number.isInteger);
  if (typeof patch["filter"] === "string") found["filter"] = patch["filter"];
  const { hidden, least } = patch;
  if (Array.isArray(hidden)) found["hidden"] = hidden.filter(key => typeof key === "string");
  if (typeof least === "number" && least >= 0) found["least"] = least;
  const range = patch["range"];
  if (range === null || (Array.isArray(range) && !range.length)) found["range"] = null;
  else if (Array.isArray(range) && range.length === 2 && range.every(Number.isFinite) && range[0] < range[1]) {
    found["range"] = [range[0], range[1]];
  }
  for (const [name, values] of Object.entries(CHOICES)) {
    if (values.includes(String(patch[name]))) found[name] = patch[name];
  }
  return found as Partial<ExplorerState>;
}

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  unit: ["cycles", "time", "share"],
  order: ["timeline", "cycles", "name"],
  colour: ["kind", "cause", "utilisation"],
  layout: ["lanes", "rows", "sorted"],
};

export function createExplorerStore(given: Partial<ViewState & PageState> | undefined): Store<ExplorerState> {
  return createStore<ExplorerState>({ ...INITIAL, ...understood({ ...given }) });
}
