/** What the explorer can be told: words, least cycles, order, unit, colour, layout, zoom; and the legend that filters. */

import type { Derived, ExplorerState } from "../model/explorer_state.ts";
import { thresholds } from "../model/filter.ts";
import { count, percent, spoken } from "../model/units.ts";
import type { Words } from "../model/words.ts";
import { useId } from "./ids.ts";
import { OWN_KEYS } from "./keys.ts";
import { useWords } from "./reading.ts";
import { Button, Choice, Swatch, TextField, useStore } from "./ui.tsx";

export function Controls({ derived, steps }: { derived: Derived; steps: readonly number[] }) {
  const words = useWords();
  const { store } = derived;
  const state = useStore(store);
  return (
    <div class="sima-controls" role="group" aria-label={words.__("What is shown")}>
      <TextField
        label={words.__("Filter")}
        value={state.filter}
        placeholder={words.__('name, kind or source node; "-word" excludes')}
        onInput={filter => store.set({ filter })}
      />
      <Least derived={derived} state={state} steps={steps} />
      <Choice
        label={words.__("Order")}
        value={state.order}
        options={[
          ["timeline", words.__("as they run")],
          ["cycles", words.__("most cycles first")],
          ["name", words.__("by name")],
        ]}
        onChange={order => store.set({ order })}
      />
      <Choice
        label={words.__("Unit")}
        value={state.unit}
        options={[
          ["cycles", words.__("cycles")],
          ["time", words.__("time")],
          ["share", words.__("share")],
        ]}
        onChange={unit => store.set({ unit })}
      />
      <Choice
        label={words.__("Colour")}
        value={state.colour}
        options={coloursOf(derived, words)}
        onChange={colour => store.set({ colour, hidden: [] })}
      />
    </div>
  );
}

/** Colours that the file knows something for. */
function coloursOf({ profile }: Derived, words: Words): (readonly [ExplorerState["colour"], string])[] {
  return [
    ["kind", words.__("by kind")],
    ...(profile.layers.has("cause_cycles") ? [["cause", words.__("by cause")] as const] : []),
    ...(profile.layers.has("utilization") ? [["utilisation", words.__("by utilisation")] as const] : []),
  ];
}

function Least({ derived, state, steps }: { derived: Derived; state: ExplorerState; steps: readonly number[] }) {
  const id = useId();
  const words = useWords();
  const { profile, store } = derived;
  const at = Math.max(
    0,
    steps.findLastIndex(step => step <= state.least),
  );
  const text = state.least
    ? spoken(state.least, state.unit, profile.clockMhz, profile.total, words)
    : words.__("all layers");
  return (
    <span class="sima-field">
      <label for={id}>{words.__("Least cycles")}</label>
      <span class="sima-slider">
        <input
          id={id}
          type="range"
          min={0}
          max={steps.length - 1}
          step={1}
          value={at}
          aria-valuetext={text}
          onInput={event => store.set({ least: steps[Number(event.currentTarget.value)] ?? 0 })}
          {...OWN_KEYS}
        />
        <output for={id}>{text}</output>
      </span>
    </span>
  );
}

export function TimelineControls(props: {
  derived: Derived;
  zoom: (move: "closer" | "further" | "all" | "selection") => void;
}) {
  const words = useWords();
  const { store } = props.derived;
  const state = useStore(store);
  const isFixed = state.layout === "sorted";
  return (
    <div class="sima-controls sima-zoom" role="group" aria-label={words.__("Timeline")}>
      <Choice
        label={words.__("Timeline")}
        value={state.layout}
        options={[
          ["lanes", words.__("lanes")],
          ["rows", words.__("a row per layer")],
          ["sorted", words.__("sorted by cycles")],
        ]}
        onChange={layout => store.set({ layout, ...(layout === "sorted" ? { order: "cycles" } : {}) })}
      />
      <span class="sima-buttons">
        <Button label={words.__("Zoom in")} disabled={isFixed} onClick={() => props.zoom("closer")}>
          +
        </Button>
        <Button label={words.__("Zoom out")} disabled={isFixed || !state.range} onClick={() => props.zoom("further")}>
          {"\u2212"}
        </Button>
        <Button disabled={!state.range} onClick={() => props.zoom("all")}>
          {words.__("All")}
        </Button>
        <Button disabled={isFixed || !state.selected.length} onClick={() => props.zoom("selection")}>
          {words.__("Selection")}
        </Button>
      </span>
    </div>
  );
}

/** The legend: what colours mean, how much there is of each; a click takes a group away or brings it back. */
export function Legend({ derived }: { derived: Derived }) {
  const words = useWords();
  const { store, profile } = derived;
  const { hidden, colour } = useStore(store);
  const grouping = derived.grouping();
  // A layer stands under its largest cause with all its cycles: "mostly" keeps the share from reading as the cause's own.
  const told = (label: string) => (colour === "cause" ? words.__("mostly %1", label) : label);
  const present = grouping.labels.map((label, at) => ({ label, at })).filter(({ at }) => grouping.counts[at]);
  const toggle = (key: string) =>
    store.set({ hidden: hidden.includes(key) ? hidden.filter(other => other !== key) : [...hidden, key] });
  const only = (key: string) =>
    store.set({ hidden: present.map(({ label }) => label.key).filter(other => other !== key) });
  return (
    <div class="sima-legend" role="group" aria-label={words.__("Legend: press to hide or show")}>
      {present.map(({ label, at }) => {
        const share = profile.total ? percent((grouping.cycles[at] as number) / profile.total) : "";
        return (
          <button
            key={label.key}
            type="button"
            class="sima-chip"
            aria-pressed={!hidden.includes(label.key)}
            title={`${label.note ? `${label.note}. ` : ""}${words.__("%1 layers. Double click: only these.", count(grouping.counts[at] as number))}`}
            onClick={() => toggle(label.key)}
            onDblClick={() => only(label.key)}
            {...OWN_KEYS}
          >
            <Swatch label={label} />
            {told(label.label)} <small>{share}</small>
          </button>
        );
      })}
      {hidden.length > 0 && <Button onClick={() => store.set({ hidden: [] })}>{words.__("Show all")}</Button>}
    </div>
  );
}

export function stepsOf(derived: Derived): number[] {
  return thresholds(derived.profile.cycles);
}
