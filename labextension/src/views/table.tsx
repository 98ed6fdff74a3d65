/** The layers as a grid: rows in view only, three orders by their headings, one selection by pointer and keys. */
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Derived, ExplorerState } from "../model/explorer_state.ts";
import { wordsOf } from "../model/filter.ts";
import { isPlain, rowAfter } from "../model/keyboard.ts";
import { labelOf } from "../model/profile.ts";
import { amount, percent } from "../model/units.ts";
import { scrollTo, visibleRows } from "../model/virtual.ts";
import { OWN_KEYS } from "./keys.ts";
import { Name, Swatch, useStore } from "./ui.tsx";

type Order = ExplorerState["order"];

/** Rows that a printed page gets; the static form beside it holds all of a larger network. */
const PRINTED = 5000;

interface Column {
  readonly title: string;
  readonly order?: Order;
  readonly className?: string;
}

export function LayerTable({ derived, printing }: { derived: Derived; printing: boolean }) {
  const state = useStore(derived.store);
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ scrollTop: 0, height: 400, rowHeight: 28 });
  const order = derived.order();
  const chosen = new Set(derived.chosen());
  const rows = order.length;
  const last = derived.chosen().at(-1);
  const active = last === undefined ? -1 : order.indexOf(last);
  const seen = printing
    ? { first: 0, last: Math.min(rows, PRINTED), offset: 0, total: 0 }
    : visibleRows({ rows, ...view });
  const columns = columnsOf(derived);

  useLayoutEffect(() => {
    const box = scroller.current;
    if (!box) return;
    const measure = () => {
      const row = box.querySelector<HTMLElement>(".sima-row");
      const rowHeight = row?.offsetHeight || 28;
      setView(old => ({ ...old, height: box.clientHeight, rowHeight }));
    };
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    return () => observer.disconnect();
  }, []);

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
      aria-label="Layers"
      aria-rowcount={rows + 1}
      aria-colcount={columns.length}
      aria-multiselectable="true"
      aria-activedescendant={active >= seen.first && active < seen.last ? `${id}-${active}` : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onScroll={event => setView({ ...view, scrollTop: event.currentTarget.scrollTop })}
      {...OWN_KEYS}
    >
      <div role="rowgroup" class="sima-head">
        <div role="row" class="sima-row" aria-rowindex={1}>
          {columns.map(column => (
            <Heading
              key={column.title}
              column={column}
              order={state.order}
              onOrder={wanted => derived.store.set({ order: wanted })}
            />
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
      {rows === 0 && <p class="sima-note">No layer is shown. Clear the filter, or lower the least cycles.</p>}
    </div>
  );
}

function columnsOf({ profile }: Derived): Column[] {
  const { layers } = profile;
  return [
    { title: "#", order: "timeline", className: "sima-number" },
    { title: "Layer", order: "name", className: "sima-wide" },
    { title: "Kind", className: "sima-kind" },
    { title: "Cycles", order: "cycles", className: "sima-number" },
    { title: "Share", className: "sima-number sima-share" },
    ...(layers.has("bound_by") ? [{ title: "Bound by", className: "sima-bound" }] : []),
    ...(layers.has("utilization") ? [{ title: "Utilisation", className: "sima-number sima-use" }] : []),
  ];
}

const DIRECTIONS: Readonly<Record<Order, "ascending" | "descending">> = {
  timeline: "ascending",
  name: "ascending",
  cycles: "descending",
};

function Heading({ column, order, onOrder }: { column: Column; order: Order; onOrder: (order: Order) => void }) {
  const own = column.order;
  if (!own) {
    return (
      <div role="columnheader" class={column.className}>
        {column.title}
      </div>
    );
  }
  const isOn = own === order;
  const says = own === "timeline" ? "Order of the run" : column.title;
  return (
    <div role="columnheader" class={column.className} aria-sort={isOn ? DIRECTIONS[own] : "none"}>
      <button type="button" class="sima-sort" onClick={() => onOrder(own)} title={`Sort: ${says}`} {...OWN_KEYS}>
        {column.title}
        <span aria-hidden="true">{isOn ? (DIRECTIONS[own] === "ascending" ? " \u25b2" : " \u25bc") : ""}</span>
      </button>
    </div>
  );
}

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
        <div role="gridcell" class={column.className} key={column.title}>
          <Cell title={column.title} derived={derived} layer={layer} state={state} />
        </div>
      ))}
    </div>
  );
}

function Cell({
  title,
  derived,
  layer,
  state,
}: {
  title: string;
  derived: Derived;
  layer: number;
  state: ExplorerState;
}) {
  const { profile } = derived;
  const { layers, view } = profile;
  const cycles = profile.cycles[layer] as number;
  switch (title) {
    case "#":
      return <>{profile.ids[layer]}</>;
    case "Layer":
      return <Name text={layers.get(layer, "name") ?? ""} longest={90} words={shownWords(state.filter)} />;
    case "Kind": {
      const key = layers.get(layer, "family") ?? "";
      const label = labelOf(view.palette.families, key);
      return (
        <>
          <Swatch label={label} />
          {label.label}
        </>
      );
    }
    case "Cycles":
      return <>{amount(cycles, state.unit, profile.clockMhz, profile.total)}</>;
    case "Share": {
      const share = profile.total ? cycles / profile.total : 0;
      return (
        <span class="sima-meter" style={{ "--sima-part": `${Math.min(100, 100 * share)}%` }}>
          {percent(share)}
        </span>
      );
    }
    case "Bound by": {
      const key = layers.get(layer, "bound_by");
      return <>{key ? (view.palette.bounds.find(bound => bound.key === key)?.label ?? key) : "\u2013"}</>;
    }
    default: {
      const value = layers.get(layer, "utilization");
      return <>{value === null ? "\u2013" : percent(value)}</>;
    }
  }
}

function shownWords(filter: string): string[] {
  return wordsOf(filter)
    .filter(word => !word.negated)
    .map(word => word.text);
}
