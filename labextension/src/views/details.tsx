/** Everything that is recorded about the selected layers: one in full, several as a sum. Can be copied as text. */
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import type { Derived } from "../model/explorer_state.ts";
import { causesOf } from "../model/profile.ts";
import { amount, count, duration, percent, size } from "../model/units.ts";
import type { Words } from "../model/words.ts";
import { Causes } from "./causes.tsx";
import { OWN_KEYS } from "./keys.ts";
import { useWords } from "./reading.ts";
import { Button, Facts, Name, Section, useStore } from "./ui.tsx";

/** Names listed one by one before "and so many more". */
const LISTED = 12;

interface Props {
  readonly derived: Derived;
  readonly copy: (text: string) => Promise<void>;
  /** How to come by details, where none are shown. */
  readonly hint: string;
}

export function Details({ derived, copy, hint }: Props) {
  const words = useWords();
  const state = useStore(derived.store);
  const box = useRef<HTMLDivElement>(null);
  const [copied, setCopied] = useState("");
  const chosen = derived.chosen();
  const onCopy = () => {
    // biome-ignore lint/performance/useDomNodeTextContent: rows copy as lines, which only the rendered text knows
    copy(box.current?.innerText ?? "").then(
      () => setCopied(words.__("Copied.")),
      () => setCopied(words.__("The browser did not allow it.")),
    );
  };
  const aside = chosen.length > 0 && (
    <span>
      <span class="sima-note" role="status">
        {copied}
      </span>{" "}
      <Button onClick={onCopy}>{words.__("Copy")}</Button>
    </span>
  );
  return (
    <Section title={words.__("Details")} aside={aside}>
      <div
        ref={box}
        class="sima-details"
        data-selected={state.selected.join(" ")}
        tabIndex={0}
        role="region"
        aria-label={words.__("Details of the selection")}
        {...OWN_KEYS}
      >
        {chosen.length === 0 && <p class="sima-note">{hint}</p>}
        {chosen.length === 1 && <One derived={derived} layer={chosen[0] as number} />}
        {chosen.length > 1 && <Several derived={derived} chosen={chosen} />}
      </div>
    </Section>
  );
}

function One({ derived, layer }: { derived: Derived; layer: number }) {
  const words = useWords();
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
          [words.__("Source nodes"), sources.length ? <Names names={sources} /> : view.wordings["not_recorded"]],
          [words.__("Operator"), layers.get(layer, "operator")],
          [
            words.__("Cycles"),
            `${count(cycles)} (${duration(cycles, profile.clockMhz)}, ${percent(profile.total ? cycles / profile.total : 0)})`,
          ],
          [words.__("Compute cycles"), whole(layers.get(layer, "compute_cycles"))],
          [words.__("Static schedule"), span(layers.get(layer, "start_cycle"), layers.get(layer, "end_cycle"), words)],
          [words.__("Run"), span(layers.get(layer, "run_start_cycle"), layers.get(layer, "run_end_cycle"), words)],
          [words.__("Bound by"), bound ? `${label?.label ?? bound}${label?.note ? `: ${label.note}` : ""}` : null],
          [words.__("Utilisation"), ratio(layers.get(layer, "utilization"))],
          [words.__("Multiply-accumulates"), whole(layers.get(layer, "macs"))],
          [words.__("Inputs"), shapes(layers.list(layer, "inputs"), layers.list(layer, "input_shapes"))],
          [words.__("Output"), shapes([layers.get(layer, "output") ?? ""], [layers.get(layer, "output_shape") ?? ""])],
          [words.__("Input bytes"), bytes("input_bytes")],
          [words.__("Output bytes"), bytes("output_bytes")],
          [words.__("Weights"), bytes("weight_bytes")],
          [words.__("Parameters on chip"), bytes("parameter_bytes")],
          [words.__("Parameters in DRAM"), bytes("stored_parameter_bytes")],
          [words.__("Loaded from DRAM"), bytes("loaded_bytes")],
          [words.__("Stored to DRAM"), bytes("stored_bytes")],
          [words.__("Blocks"), blocks(layers.get(layer, "blocks"), layers.get(layer, "block_shape"), words)],
          [words.__("Placement"), layers.get(layer, "placement")],
        ]}
      />
      {causes && (
        <Causes parts={causes} unit={unit} clockMhz={profile.clockMhz} title={words.__("Causes of this layer")} />
      )}
    </>
  );
}

function Several({ derived, chosen }: { derived: Derived; chosen: readonly number[] }) {
  const words = useWords();
  const { profile, store } = derived;
  const { unit } = store.get();
  const cycles = chosen.reduce((sum, layer) => sum + (profile.cycles[layer] as number), 0);
  const macs = chosen.reduce((sum, layer) => sum + (profile.layers.get(layer, "macs") ?? 0), 0);
  const causes = causesOf(profile, chosen);
  return (
    <>
      <p class="sima-title">{words.__("%1 layers", count(chosen.length))}</p>
      <Facts
        rows={[
          [
            words.__("Cycles"),
            `${count(cycles)} (${duration(cycles, profile.clockMhz)}, ${percent(profile.total ? cycles / profile.total : 0)})`,
          ],
          [words.__("Multiply-accumulates"), macs ? count(macs) : null],
          [
            words.__("Layers"),
            <Names key="names" names={chosen.map(layer => profile.layers.get(layer, "name") ?? "")} />,
          ],
        ]}
      />
      {causes && (
        <Causes parts={causes} unit={unit} clockMhz={profile.clockMhz} title={words.__("Causes of these layers")} />
      )}
    </>
  );
}

export function Names({ names }: { names: readonly string[] }) {
  const words = useWords();
  return (
    <ul class="sima-names">
      {names.slice(0, LISTED).map((name, at) => (
        <li key={at}>
          <Name text={name} />
        </li>
      ))}
      {names.length > LISTED && <li>{words.__("and %1 more", count(names.length - LISTED))}</li>}
    </ul>
  );
}

function span(from: number | null, to: number | null, words: Words): string | null {
  return from === null || to === null ? null : words.__("%1 to %2", count(from), count(to));
}

function ratio(value: number | null): string | null {
  return value === null ? null : percent(value);
}

function blocks(number: number | null, shape: string | null, words: Words): string | null {
  if (number === null) return null;
  return shape ? words.__("%1, the largest %2", count(number), shape) : count(number);
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
  const { shown, profile, store, words } = derived;
  const { count: rows, cycles } = shown();
  const { unit } = store.get();
  const part = profile.total ? ` (${percent(cycles / profile.total)})` : "";
  const sum =
    unit === "share"
      ? percent(profile.total ? cycles / profile.total : 0)
      : amount(cycles, unit, profile.clockMhz, profile.total);
  const told = unit === "cycles" ? words.__("%1 cycles", sum) + part : unit === "time" ? `${sum}${part}` : sum;
  return words.__("%1 of %2 layers, %3", count(rows), count(profile.size), told);
}
