/** The negotiation of the batch size: what was weighed as a chart and as rows, why this size, and what would change it. */

import { useState } from "preact/hooks";
import type { ViewData } from "../columns.ts";
import type { BatchCandidate } from "../contract.ts";
import type { Handle, Host } from "../hosts/host.ts";
import { type Folded, folded } from "../model/candidates.ts";
import { visible } from "../model/text.ts";
import { count, shortRate, size } from "../model/units.ts";
import { ENGLISH, type Words } from "../model/words.ts";
import parts from "../styles/parts.css";
import { BatchChart, verdictLabel } from "./batch_chart.tsx";
import { useId } from "./ids.ts";
import { OWN_KEYS } from "./keys.ts";
import { mountView } from "./mounting.tsx";
import { useWords } from "./reading.ts";
import { Button, Name, Section, TaskSays, useTask } from "./ui.tsx";

export function mount(element: HTMLElement, data: ViewData, host: Host): Handle {
  const { words = ENGLISH } = host;
  const content = () => <Batch data={data} host={host} />;
  const mounted = mountView(element, words.__("Batch size"), content, { styles: parts, words });
  return { update: () => undefined, dispose: mounted.dispose };
}

function Batch({ data, host }: { data: ViewData; host: Host }) {
  const { view } = data;
  const candidates = data.tables.candidates.records();
  const actual = view.batch.actual_batch_size;
  return (
    <>
      <p class="sima-lead">{visible(view.batch.sentence)}</p>
      {candidates.length === 0 && <p class="sima-note">{view.wordings["no_candidates"]}</p>}
      {candidates.length > 0 && <BatchChart candidates={candidates} head={view} />}
      <Weighed data={data} />
      {host.recompile && <Recompile host={host} start={actual ?? 1} />}
    </>
  );
}

/** What was weighed in words and rows: why not more, why not the faster one, every size, and what would help. */
export function Weighed({ data }: { data: ViewData }) {
  const words = useWords();
  const { view } = data;
  const candidates = data.tables.candidates.records();
  const actual = view.batch.actual_batch_size;
  const { why_not_more: more, why_not_faster: faster, would_help: help } = view.batch;
  return (
    <>
      {more && (
        <p>
          <b>{words.__("Why not one more?")}</b> {visible(more)}
        </p>
      )}
      {faster && (
        <p>
          <b>{words.__("Why not the faster, smaller one?")}</b> {visible(faster)}
        </p>
      )}
      {candidates.length > 0 && (
        <Section title={words.__("Sizes that were weighed")}>
          <div
            class="sima-scroll"
            tabIndex={0}
            role="region"
            aria-label={words.__("Sizes that were weighed")}
            {...OWN_KEYS}
          >
            <Rows rows={folded(candidates, actual)} data={data} />
          </div>
        </Section>
      )}
      {candidates.length > 0 && <Levers sentences={help} planned={view.wordings["levers_not_planned"] ?? ""} />}
    </>
  );
}

function Rows({ rows, data }: { rows: readonly Folded[]; data: ViewData }) {
  const words = useWords();
  const { statuses } = data.view.palette;
  return (
    <table class="sima-plain sima-wide-table">
      <thead>
        <tr>
          <th scope="col">{words.__("Batch")}</th>
          <th scope="col">{words.__("Verdict")}</th>
          <th scope="col" class="sima-number">
            {words.__("Cycles per sample")}
          </th>
          <th scope="col" class="sima-number">
            {words.__("Samples per second")}
          </th>
          <th scope="col" class="sima-number">
            {words.__("Peak on chip")}
          </th>
          <th scope="col">{words.__("How")}</th>
          <th scope="col">{words.__("Why")}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ first, last, verdict }) => (
          <tr key={first.batch_size} class={verdict === "built" ? "sima-built" : undefined} data-verdict={verdict}>
            <th scope="row" class="sima-tight">
              {first === last
                ? first.batch_size
                : words.__("%1 to %2", String(first.batch_size), String(last.batch_size))}
            </th>
            <th class="sima-tight">{verdictLabel(verdict, words)}</th>
            <td>{span(first, last, row => row.cycles_per_sample, count, words)}</td>
            <td>{span(first, last, row => row.samples_per_second, shortRate, words)}</td>
            <td>{span(first, last, row => row.peak_on_chip_bytes, size, words)}</td>
            <th>
              {first.status === "does_not_fit" ? "" : statuses.find(status => status.key === first.status)?.label}
            </th>
            <th>
              <Why row={first} />
            </th>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function span(
  first: BatchCandidate,
  last: BatchCandidate,
  value: (row: BatchCandidate) => number | null | undefined,
  write: (value: number) => string,
  words: Words,
): string {
  const [one, other] = [value(first), value(last)];
  if (one == null) return "\u2013";
  return other == null || write(one) === write(other) ? write(one) : words.__("%1 to %2", write(one), write(other));
}

function Why({ row }: { row: BatchCandidate }) {
  const words = useWords();
  const tensors = row.limiting_tensors ?? [];
  return (
    <div class="sima-why">
      {visible(row.reason ?? "")}
      {row.limiting_layer && (
        <>
          {row.reason ? "; " : ""}
          {words.__("limiting layer:")} <Name text={row.limiting_layer} />.
        </>
      )}
      {tensors.length > 0 && (
        <ul class="sima-names">
          {tensors.map(tensor => (
            <li key={tensor.name}>
              <Name text={tensor.name} />
              {tensor.bytes != null && `, ${size(tensor.bytes)}`}
              {tensor.reason && `: ${visible(tensor.reason)}`}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** What would help; each says what planning with it gave. Where nobody planned with anything, how to. */
function Levers({ sentences, planned }: { sentences: readonly string[]; planned: string }) {
  const words = useWords();
  return (
    <Section title={words.__("What would help")}>
      {sentences.length === 0 && <p class="sima-note">{planned}</p>}
      {sentences.length > 0 && (
        <ul class="sima-list">
          {sentences.map(sentence => (
            <li key={sentence}>{visible(sentence)}</li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function Recompile({ host, start }: { host: Host; start: number }) {
  const words = useWords();
  const id = useId();
  const task = useTask();
  const [batch, setBatch] = useState(start);
  const isWhole = Number.isInteger(batch) && batch >= 1;
  return (
    <div class="sima-controls sima-action">
      <span class="sima-field">
        <label for={id}>{words.__("Compile at batch size")}</label>
        <input
          id={id}
          type="number"
          min={1}
          step={1}
          value={batch}
          aria-invalid={!isWhole}
          onInput={event => setBatch(event.currentTarget.valueAsNumber)}
          {...OWN_KEYS}
        />
      </span>
      <Button
        disabled={task.busy || !isWhole}
        onClick={() => task.run(() => host.recompile?.(batch) ?? Promise.resolve(""))}
      >
        {words.__("Compile")}
      </Button>
      <TaskSays task={task} />
    </div>
  );
}
