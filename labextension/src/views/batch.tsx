/** The negotiation of the batch size: what was weighed as a chart and as rows, why this size, and what would change it. */

import { useState } from "preact/hooks";
import type { ViewData } from "../columns.ts";
import type { BatchCandidate } from "../contract.ts";
import type { Handle, Host } from "../hosts/host.ts";
import { type Folded, folded } from "../model/candidates.ts";
import { visible } from "../model/text.ts";
import { count, shortRate, size } from "../model/units.ts";
import parts from "../styles/parts.css";
import { BatchChart } from "./batch_chart.tsx";
import { useId } from "./ids.ts";
import { OWN_KEYS } from "./keys.ts";
import { mountView } from "./mounting.tsx";
import { Button, Name, Section, TaskSays, useTask } from "./ui.tsx";

export function mount(element: HTMLElement, data: ViewData, host: Host): Handle {
  const mounted = mountView(element, "Batch size", () => <Batch data={data} host={host} />, parts);
  return { update: () => undefined, dispose: mounted.dispose };
}

function Batch({ data, host }: { data: ViewData; host: Host }) {
  const { view } = data;
  const candidates = data.tables.candidates.records();
  const actual = view.batch.actual_batch_size;
  const { why_not_more: more, why_not_faster: faster, would_help: help } = view.batch;
  return (
    <>
      <p class="sima-lead">{visible(view.batch.sentence)}</p>
      {candidates.length === 0 && <p class="sima-note">{view.wordings["no_candidates"]}</p>}
      {candidates.length > 0 && <BatchChart candidates={candidates} head={view} />}
      {more && (
        <p>
          <b>Why not one more?</b> {visible(more)}
        </p>
      )}
      {faster && (
        <p>
          <b>Why not the faster, smaller one?</b> {visible(faster)}
        </p>
      )}
      {candidates.length > 0 && (
        <Section title="Sizes that were weighed">
          <div class="sima-scroll" tabIndex={0} role="region" aria-label="Sizes that were weighed" {...OWN_KEYS}>
            <Rows rows={folded(candidates, actual)} data={data} />
          </div>
        </Section>
      )}
      {candidates.length > 0 && <Levers sentences={help} planned={view.wordings["levers_not_planned"] ?? ""} />}
      {host.recompile && <Recompile host={host} start={actual ?? 1} />}
    </>
  );
}

function Rows({ rows, data }: { rows: readonly Folded[]; data: ViewData }) {
  const { statuses } = data.view.palette;
  return (
    <table class="sima-plain sima-wide-table">
      <thead>
        <tr>
          <th scope="col">Batch</th>
          <th scope="col">Verdict</th>
          <th scope="col" class="sima-number">
            Cycles per sample
          </th>
          <th scope="col" class="sima-number">
            Samples per second
          </th>
          <th scope="col" class="sima-number">
            Peak on chip
          </th>
          <th scope="col">How</th>
          <th scope="col">Why</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ first, last, verdict }) => (
          <tr key={first.batch_size} class={verdict === "built" ? "sima-built" : undefined} data-verdict={verdict}>
            <th scope="row" class="sima-tight">
              {first === last ? first.batch_size : `${first.batch_size} to ${last.batch_size}`}
            </th>
            <th class="sima-tight">{verdict}</th>
            <td>{span(first, last, row => row.cycles_per_sample, count)}</td>
            <td>{span(first, last, row => row.samples_per_second, shortRate)}</td>
            <td>{span(first, last, row => row.peak_on_chip_bytes, size)}</td>
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
): string {
  const [one, other] = [value(first), value(last)];
  if (one == null) return "\u2013";
  return other == null || write(one) === write(other) ? write(one) : `${write(one)} to ${write(other)}`;
}

function Why({ row }: { row: BatchCandidate }) {
  const tensors = row.limiting_tensors ?? [];
  return (
    <div class="sima-why">
      {visible(row.reason ?? "")}
      {row.limiting_layer && (
        <>
          {row.reason ? "; " : ""}limiting layer: <Name text={row.limiting_layer} />.
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
  return (
    <Section title="What would help">
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
  const id = useId();
  const task = useTask();
  const [batch, setBatch] = useState(start);
  const isWhole = Number.isInteger(batch) && batch >= 1;
  return (
    <div class="sima-controls sima-action">
      <span class="sima-field">
        <label for={id}>Compile at batch size</label>
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
        Compile
      </Button>
      <TaskSays task={task} />
    </div>
  );
}
