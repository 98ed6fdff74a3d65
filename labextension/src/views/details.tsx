/** Everything that is recorded about the selected layers: one in full, several as a sum. Can be copied as text. */
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import type { Derived } from "../model/explorer_state.ts";
import { causesOf } from "../model/profile.ts";
import { amount, count, duration, percent, size } from "../model/units.ts";
import { Causes } from "./causes.tsx";
import { OWN_KEYS } from "./keys.ts";
import { Button, Facts, Name, Section, useStore } from "./ui.tsx";

/** Names listed one by one before "and so many more". */
const LISTED = 12;

export function Details({ derived, copy }: { derived: Derived; copy: (text: string) => Promise<void> }) {
  const state = useStore(derived.store);
  const box = useRef<HTMLDivElement>(null);
  const [copied, setCopied] = useState("");
  const chosen = derived.chosen();
  const onCopy = () => {
    // biome-ignore lint/performance/useDomNodeTextContent: rows copy as lines, which only the rendered text knows
    copy(box.current?.innerText ?? "").then(
      () => setCopied("Copied."),
      () => setCopied("The browser did not allow it."),
    );
  };
  const aside = chosen.length > 0 && (
    <span>
      <span class="sima-note" role="status">
        {copied}
      </span>{" "}
      <Button onClick={onCopy}>Copy</Button>
    </span>
  );
  return (
    <Section title="Details" aside={aside}>
      <div
        ref={box}
        class="sima-details"
        data-selected={state.selected.join(" ")}
        tabIndex={0}
        role="region"
        aria-label="Details of the selection"
        {...OWN_KEYS}
      >
        {chosen.length === 0 && <p class="sima-note">Select a layer in the timeline, the table or the memory map.</p>}
        {chosen.length === 1 && <One derived={derived} layer={chosen[0] as number} />}
        {chosen.length > 1 && <Several derived={derived} chosen={chosen} />}
      </div>
    </Section>
  );
}

function One({ derived, layer }: { derived: Derived; layer: number }) {
  const { profile, store } = derived;
  const { layers, view } = profile;
  const bytes = (key: Parameters<typeof layers.get>[1]) => {
    const value = layers.get(layer, key);
    return typeof value === "number" ? size(value) : null;
  };
  const whole = (value: number | null) => (value === null ? null : count(value));
  const cycles = profile.cycles[layer] as number;
  const bound = layers.get(layer, "bound_by");
  const label = view.palette.bounds.find(found => found.key === bound);
  const sources = layers.list(layer, "sources");
  const causes = causesOf(profile, [layer]);
  const { unit } = store.get();
  return (
    <>
      <p class="sima-title">
        <Name text={layers.get(layer, "name") ?? ""} longest={240} />
      </p>
      <Facts
        rows={[
          ["Source nodes", sources.length ? <Names names={sources} /> : view.wordings["not_recorded"]],
          ["Operator", layers.get(layer, "operator")],
          [
            "Cycles",
            `${count(cycles)} (${duration(cycles, profile.clockMhz)}, ${percent(profile.total ? cycles / profile.total : 0)})`,
          ],
          ["Compute cycles", whole(layers.get(layer, "compute_cycles"))],
          ["Static schedule", span(layers.get(layer, "start_cycle"), layers.get(layer, "end_cycle"))],
          ["Run", span(layers.get(layer, "run_start_cycle"), layers.get(layer, "run_end_cycle"))],
          ["Bound by", bound ? `${label?.label ?? bound}${label?.note ? `: ${label.note}` : ""}` : null],
          ["Utilisation", ratio(layers.get(layer, "utilization"))],
          ["Multiply-accumulates", whole(layers.get(layer, "macs"))],
          ["Inputs", shapes(layers.list(layer, "inputs"), layers.list(layer, "input_shapes"))],
          ["Output", shapes([layers.get(layer, "output") ?? ""], [layers.get(layer, "output_shape") ?? ""])],
          ["Input bytes", bytes("input_bytes")],
          ["Output bytes", bytes("output_bytes")],
          ["Weights", bytes("weight_bytes")],
          ["Parameters on chip", bytes("parameter_bytes")],
          ["Parameters in DRAM", bytes("stored_parameter_bytes")],
          ["Loaded from DRAM", bytes("loaded_bytes")],
          ["Stored to DRAM", bytes("stored_bytes")],
          ["Blocks", blocks(layers.get(layer, "blocks"), layers.get(layer, "block_shape"))],
          ["Placement", layers.get(layer, "placement")],
        ]}
      />
      {causes && <Causes parts={causes} unit={unit} clockMhz={profile.clockMhz} title="Causes of this layer" />}
    </>
  );
}

function Several({ derived, chosen }: { derived: Derived; chosen: readonly number[] }) {
  const { profile, store } = derived;
  const { unit } = store.get();
  const cycles = chosen.reduce((sum, layer) => sum + (profile.cycles[layer] as number), 0);
  const macs = chosen.reduce((sum, layer) => sum + (profile.layers.get(layer, "macs") ?? 0), 0);
  const causes = causesOf(profile, chosen);
  return (
    <>
      <p class="sima-title">{count(chosen.length)} layers</p>
      <Facts
        rows={[
          [
            "Cycles",
            `${count(cycles)} (${duration(cycles, profile.clockMhz)}, ${percent(profile.total ? cycles / profile.total : 0)})`,
          ],
          ["Multiply-accumulates", macs ? count(macs) : null],
          ["Layers", <Names key="names" names={chosen.map(layer => profile.layers.get(layer, "name") ?? "")} />],
        ]}
      />
      {causes && <Causes parts={causes} unit={unit} clockMhz={profile.clockMhz} title="Causes of these layers" />}
    </>
  );
}

export function Names({ names }: { names: readonly string[] }) {
  return (
    <ul class="sima-names">
      {names.slice(0, LISTED).map((name, at) => (
        <li key={at}>
          <Name text={name} />
        </li>
      ))}
      {names.length > LISTED && <li>and {count(names.length - LISTED)} more</li>}
    </ul>
  );
}

function span(from: number | null, to: number | null): string | null {
  return from === null || to === null ? null : `${count(from)} to ${count(to)}`;
}

function ratio(value: number | null): string | null {
  return value === null ? null : percent(value);
}

function blocks(number: number | null, shape: string | null): string | null {
  if (number === null) return null;
  return shape ? `${count(number)}, the largest ${shape}` : count(number);
}

function shapes(names: readonly string[], sizes: readonly (string | null)[]): ComponentChildren {
  const rows = names.map((name, at) => ({ name, size: sizes[at] ?? "" })).filter(row => row.name || row.size);
  if (!rows.length) return null;
  return (
    <ul class="sima-names">
      {rows.map((row, at) => (
        <li key={at}>
          {row.size} <Name text={row.name} />
        </li>
      ))}
    </ul>
  );
}

export function sentenceOf(derived: Derived): string {
  const { shown, profile, store } = derived;
  const { count: rows, cycles } = shown();
  const { unit } = store.get();
  const part = profile.total ? ` (${percent(cycles / profile.total)})` : "";
  const sum =
    unit === "share"
      ? percent(profile.total ? cycles / profile.total : 0)
      : amount(cycles, unit, profile.clockMhz, profile.total);
  const words = unit === "cycles" ? `${sum} cycles${part}` : unit === "time" ? `${sum}${part}` : sum;
  return `${count(rows)} of ${count(profile.size)} layers, ${words}`;
}
