/** The layers as a grid: rows in view only, three orders by their headings, one selection by pointer and keys. */
import { useEffect, useRef } from "preact/hooks";
import type { Derived, ExplorerState } from "../model/explorer_state.ts";
import { wordsOf } from "../model/filter.ts";
import { isPlain, rowAfter } from "../model/keyboard.ts";
import { labelOf } from "../model/profile.ts";
import { amount, percent } from "../model/units.ts";
import { scrollTo, visibleRows } from "../model/virtual.ts";
import { useId } from "./ids.ts";
import { OWN_KEYS } from "./keys.ts";
import { CellName, Swatch, useStore } from "./ui.tsx";
import { type Heading, HeadingCell, useScrolled } from "./virtual_rows.tsx";

type Order = ExplorerState["order"];

/** Rows that a printed page gets; the static form beside it holds all of a larger network. */
const PRINTED = 5000;

interface Column {
  readonly key: "number" | "name" | "kind" | "cycles" | "share" | "bound" | "utilisation";
  readonly title: string;
  readonly order?: Order;
  readonly className?: string;
}

export function LayerTable({ derived, printing }: { derived: Derived; printing: boolean }) {
  const state = useStore(derived.store);
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setTop] = useScrolled(scroller);
  const order = derived.order();
  const chosen = new Set(derived.chosen());
  const rows = order.length;
  const last = derived.chosen().at(-1);
  const active = last === undefined ? -1 : order.indexOf(last);
  const seen = printing
    ? { first: 0, last: Math.min(rows, PRINTED), offset: 0, total: 0 }
    : visibleRows({ rows, ...view });
  const columns = columnsOf(derived);

  // What is selected elsewhere comes into view here.
  useEffect(() => {
    const box = scroller.current;
    if (!box || active < 0) return;
    const top = scrollTo(
      {
        rows,
        rowHeight: view.rowHeight,
        height: box.clientHeight - view.rowHeight,
        scrollTop: box.scrollTop,
      },
      active,
    );
    if (top !== box.scrollTop) box.scrollTop = top;
  }, [active, state.order, rows]);

  const select = (at: number, isAdding: boolean) => {
    const layer = order[at];
    if (layer === undefined) return;
    const own = derived.profile.ids[layer] as number;
    const others = state.selected.filter(other => other !== own);
    const isChosen = others.length < state.selected.length;
    derived.store.set({ selected: isAdding ? (isChosen ? others : [...state.selected, own]) : [own] });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || !isPlain(event)) return;
    const page = Math.max(1, Math.floor(view.height / view.rowHeight) - 2);
    const next = rowAfter(event, active, rows, page);
    if (next !== null) select(next, event.shiftKey);
    else if (event.key === "Escape") derived.store.set({ selected: [] });
    else return;
    event.preventDefault();
  };

  return (
    <div
      ref={scroller}
      class="sima-grid"
      role="grid"
      aria-label={derived.words.__("Layers")}
      aria-rowcount={rows + 1}
      aria-colcount={columns.length}
      aria-multiselectable="true"
      aria-activedescendant={active >= seen.first && active < seen.last ? `${id}-${active}` : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onScroll={event => setTop(event.currentTarget.scrollTop)}
      {...OWN_KEYS}
    >
      <div role="rowgroup" class="sima-head">
        <div role="row" class="sima-row" aria-rowindex={1}>
          {columns.map(column => (
            <HeadingCell key={column.key} heading={headingOf(column, state.order, derived)} />
          ))}
        </div>
      </div>
      <div role="rowgroup" class="sima-body" style={{ height: printing ? "auto" : `${seen.total}px` }}>
        <div style={{ transform: `translateY(${seen.offset}px)` }} role="presentation">
          {Array.from(order.subarray(seen.first, seen.last), (layer, at) => (
            <LayerRow
              key={layer}
              id={`${id}-${seen.first + at}`}
              derived={derived}
              state={state}
              layer={layer}
              index={seen.first + at}
              isChosen={chosen.has(layer)}
              columns={columns}
              onPick={select}
            />
          ))}
        </div>
      </div>
      {rows === 0 && (
        <p class="sima-note">{derived.words.__("No layer is shown. Clear the filter, or lower the least cycles.")}</p>
      )}
    </div>
  );
}

function headingOf({ title, className, order }: Column, now: Order, { store }: Derived): Heading {
  if (!order) return { title, className };
  const sort = order === now ? DIRECTIONS[order] : "none";
  return { title, className, sort, onSort: () => store.set({ order }) };
}

function columnsOf({ profile, words }: Derived): Column[] {
  const { layers } = profile;
  return [
    { key: "number", title: "#", order: "timeline", className: "sima-number" },
    { key: "name", title: words.__("Layer"), order: "name", className: "sima-wide" },
    { key: "kind", title: words.__("Kind"), className: "sima-kind" },
    { key: "cycles", title: words.__("Cycles"), order: "cycles", className: "sima-number" },
    { key: "share", title: words.__("Share"), className: "sima-number sima-share" },
    ...(layers.has("bound_by")
      ? [{ key: "bound" as const, title: words.__("Bound by"), className: "sima-bound" }]
      : []),
    ...(layers.has("utilization")
      ? [{ key: "utilisation" as const, title: words.__("Utilisation"), className: "sima-number sima-use" }]
      : []),
  ];
}

const DIRECTIONS: Readonly<Record<Order, "ascending" | "descending">> = {
  timeline: "ascending",
  name: "ascending",
  cycles: "descending",
};

function LayerRow(props: {
  id: string;
  derived: Derived;
  state: ExplorerState;
  layer: number;
  index: number;
  isChosen: boolean;
  columns: readonly Column[];
  onPick: (at: number, isAdding: boolean) => void;
}) {
  const { derived, layer, state } = props;
  return (
    <div
      role="row"
      id={props.id}
      class="sima-row"
      aria-rowindex={props.index + 2}
      aria-selected={props.isChosen}
      onClick={event => props.onPick(props.index, event.ctrlKey || event.metaKey || event.shiftKey)}
    >
      {props.columns.map(column => (
        <div role="gridcell" class={column.className} key={column.key}>
          <Cell column={column.key} derived={derived} layer={layer} state={state} />
        </div>
      ))}
    </div>
  );
}

function Cell({
  column,
  derived,
  layer,
  state,
}: {
  column: Column["key"];
  derived: Derived;
  layer: number;
  state: ExplorerState;
}) {
  const { profile } = derived;
  const { layers, view } = profile;
  const cycles = profile.cycles[layer] as number;
  switch (column) {
    case "number":
      return <>{profile.ids[layer]}</>;
    case "name":
      return <CellName text={shownName(derived, layer)} words={shownWords(state.filter)} />;
    case "kind": {
      const key = layers.get(layer, "family") ?? "";
      const label = labelOf(view.palette.families, key);
      return (
        <>
          <Swatch label={label} />
          {label.label}
        </>
      );
    }
    case "cycles":
      return <>{amount(cycles, state.unit, profile.clockMhz, profile.total)}</>;
    case "share": {
      const share = profile.total ? cycles / profile.total : 0;
      return (
        <span class="sima-meter" style={{ "--sima-part": `${(100 * cycles) / derived.longest()}%` }}>
          {percent(share)}
        </span>
      );
    }
    case "bound": {
      const key = layers.get(layer, "bound_by");
      return <>{key ? (view.palette.bounds.find(bound => bound.key === key)?.label ?? key) : "\u2013"}</>;
    }
    default: {
      const value = layers.get(layer, "utilization");
      return <>{value === null ? "\u2013" : percent(value)}</>;
    }
  }
}

/** The name without its segment, where there is only one: it would be the same in every row. */
function shownName({ profile }: Derived, layer: number): string {
  const name = profile.layers.get(layer, "name") ?? "";
  return profile.view.segments.length > 1 ? name : name.slice(name.indexOf("/") + 1) || name;
}

function shownWords(filter: string): string[] {
  return wordsOf(filter)
    .filter(word => !word.negated)
    .map(word => word.text);
}
