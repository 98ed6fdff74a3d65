/** The report: all that the static one says but its list of layers, which is the explorer. */

import type { ViewData } from "../columns.ts";
import type { HostLayer } from "../contract.ts";
import type { Handle, Host } from "../hosts/host.ts";
import { labelOf } from "../model/profile.ts";
import { visible } from "../model/text.ts";
import { count, duration, percent, shortRate } from "../model/units.ts";
import { ENGLISH } from "../model/words.ts";
import parts from "../styles/parts.css";
import { Weighed } from "./batch.tsx";
import { WhereCyclesGo } from "./causes.tsx";
import { Findings } from "./findings.tsx";
import { mountView } from "./mounting.tsx";
import { useWords } from "./reading.ts";
import { Elsewhere, FileRows, Machine, SegmentMemory } from "./report_parts.tsx";
import { Action, Name, Section, Swatch } from "./ui.tsx";

export function mount(element: HTMLElement, data: ViewData, host: Host): Handle {
  const { words = ENGLISH } = host;
  const content = () => <Summary data={data} host={host} />;
  const mounted = mountView(element, words.__("Summary"), content, { styles: parts, words });
  return { update: () => undefined, dispose: mounted.dispose };
}

function Summary({ data, host }: { data: ViewData; host: Host }) {
  const words = useWords();
  const { view } = data;
  return (
    <>
      <p class="sima-title sima-large">
        <Name text={view.name || view.path} longest={200} />
      </p>
      <Machine view={view} />
      <Tiles data={data} />
      <p class="sima-lead">{visible(view.batch.sentence)}</p>
      {view.host_sentence && <p>{visible(view.host_sentence)}</p>}
      <HostLayers layers={view.host_layers ?? []} />
      <Processors data={data} />
      {(view.warnings ?? []).length > 0 && (
        <Section title={words.__("Warnings")}>
          <ul class="sima-list">
            {view.warnings?.map(warning => (
              <li key={warning}>{visible(warning)}</li>
            ))}
          </ul>
        </Section>
      )}
      <Findings findings={view.findings ?? []} layers={data.tables.layers} onShow={null} />
      {data.tables.layers.count > 0 && <WhereCyclesGo view={view} unit="cycles" />}
      <SegmentMemory view={view} />
      {data.tables.candidates.count > 0 && (
        <Section title={words.__("Batch sizes")}>
          <Weighed data={data} />
        </Section>
      )}
      <Elsewhere data={data} />
      <FileRows data={data} />
      {(view.not_recorded ?? []).length > 0 && (
        <p class="sima-note">{words.__("Not recorded: %1.", visible((view.not_recorded ?? []).join(", ")))}</p>
      )}
      {host.simulate && <Action label={words.__("Simulate")} run={host.simulate} />}
    </>
  );
}

function HostLayers({ layers }: { layers: readonly HostLayer[] }) {
  const words = useWords();
  if (layers.length === 0) return null;
  return (
    <Section title={words.__("Host layers")}>
      <ul class="sima-list">
        {layers.map(layer => (
          <li key={layer.node}>
            {layer.operator} <Name text={layer.node} longest={80} />{" "}
            {words.__("(%1, %2 of the MACs): %3", layer.segment, percent(layer.share), visible(layer.reason))}
            {layer.remedy && `. ${words.__("To move it to the MLA: %1", visible(layer.remedy))}`}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Tiles({ data }: { data: ViewData }) {
  const words = useWords();
  const { batch, totals, machine, wordings } = data.view;
  const clock = machine.clock_mhz;
  const alone = wordings["mla_alone"] ?? "";
  const tiles: (readonly [string, string, string])[] = [
    [
      words.__("Batch"),
      String(batch.actual_batch_size ?? "\u2013"),
      batch.desired_batch_size == null ? "" : words.__("asked for %1", String(batch.desired_batch_size)),
    ],
    [
      words.__("Cycles"),
      count(totals.cycles),
      wordings[totals.runtime_cycles == null ? "cycles_static" : "cycles_run"] ?? "",
    ],
    [words.__("Latency"), duration(totals.cycles, clock), alone],
    [
      words.__("Samples per second"),
      totals.samples_per_second == null ? "\u2013" : shortRate(totals.samples_per_second),
      alone,
    ],
    [
      words.__("Efficiency"),
      totals.efficiency == null ? "\u2013" : percent(totals.efficiency),
      totals.bound_cycles == null ? "" : words.__("bound: %1 cycles", count(totals.bound_cycles)),
    ],
  ];
  return (
    <dl class="sima-tiles">
      {tiles.map(([name, value, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <b>{value}</b> <small>{note}</small>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Processors({ data }: { data: ViewData }) {
  const words = useWords();
  const counts = new Map<string, number>();
  for (const plugin of data.tables.plugins.records())
    counts.set(plugin.processor, (counts.get(plugin.processor) ?? 0) + 1);
  if (!counts.size) return null;
  return (
    <p>
      {[...counts].map(([processor, number]) => {
        const label = labelOf(data.view.palette.processors, processor);
        return (
          <span class="sima-key" key={processor} title={label.note}>
            <Swatch label={label} />
            {label.label}: {words._n("%2 plugin", "%2 plugins", number, count(number))}
          </span>
        );
      })}
    </p>
  );
}
