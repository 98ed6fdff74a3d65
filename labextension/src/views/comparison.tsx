/** Two archives (or statistics files) side by side: totals, batch, files, and every layer with what became of it. */

import { useMemo, useState } from "preact/hooks";
import type { ViewData } from "../columns.ts";
import type { Handle, Host } from "../hosts/host.ts";
import {
  type CompareOrder,
  type CompareRow,
  type ComparisonData,
  type Measure as Measured,
  measureOf,
  ordered,
  overThreshold,
  rowsOf,
} from "../model/comparison.ts";
import { matches, wordsOf } from "../model/filter.ts";
import { visible } from "../model/text.ts";
import { count, duration, percent, shortRate, size } from "../model/units.ts";
import parts from "../styles/parts.css";
import { useId } from "./ids.ts";
import { OWN_KEYS } from "./keys.ts";
import { mountView } from "./mounting.tsx";
import { Name, Section, Swatch, TextField } from "./ui.tsx";
import { VirtualRows } from "./virtual_rows.tsx";

export function mount(element: HTMLElement, data: ComparisonData, _host: Host): Handle {
  const mounted = mountView(element, "Comparison", () => <Comparison data={data} />, parts);
  return { update: () => undefined, dispose: mounted.dispose };
}

function Comparison({ data }: { data: ComparisonData }) {
  return (
    <>
      {(data.notes ?? []).map(note => (
        <p class="sima-note" key={note}>
          {visible(note[0]?.toUpperCase() + note.slice(1))}.
        </p>
      ))}
      <Totals data={data} />
      <Layers data={data} />
      <Files data={data} />
    </>
  );
}

type Measure = readonly [
  name: string,
  value: (data: ViewData, measure: Measured) => number | null | undefined,
  write: (value: number) => string,
];

const MEASURES: readonly Measure[] = [
  ["Batch asked for", data => data.view.batch.desired_batch_size, String],
  ["Batch built", data => data.view.batch.actual_batch_size, String],
  ["Layers", data => data.view.totals.layers, count],
  ["Runtime cycles", data => data.view.totals.runtime_cycles, count],
  ["Compute cycles", data => data.view.totals.compute_cycles, count],
  ["Cycles per sample", (data, measure) => perSample(data, measure), count],
  ["Bound", data => data.view.totals.bound_cycles, count],
  ["Efficiency", data => data.view.totals.efficiency, percent],
  ["Samples per second (MLA alone)", (data, measure) => rate(data, measure), shortRate],
  ["Loaded from DRAM", data => data.view.totals.dram?.loaded_bytes, size],
  ["Stored to DRAM", data => data.view.totals.dram?.stored_bytes, size],
];

function rate(data: ViewData, measure: Measured): number | null {
  const cycles = perSample(data, measure);
  return cycles ? (data.view.machine.clock_mhz * 1e6) / cycles : null;
}

function perSample({ view }: ViewData, measure: Measured): number | null {
  const batch = view.batch.actual_batch_size;
  const cycles = view.totals[measure];
  return batch && cycles != null ? cycles / batch : null;
}

function Totals({ data }: { data: ComparisonData }) {
  const { before, after } = data;
  const measure = measureOf(data);
  const cycles = (side: ViewData) => side.view.totals[measure] ?? 0;
  const latency = (side: ViewData) => duration(cycles(side), side.view.machine.clock_mhz);
  const known = MEASURES.filter(([, value]) => value(before, measure) != null || value(after, measure) != null);
  return (
    <div class="sima-scroll" tabIndex={0} role="region" aria-label="Totals" {...OWN_KEYS}>
      <table class="sima-plain">
        <thead>
          <tr>
            <th scope="col">Total</th>
            <th scope="col" class="sima-number">
              <Name text={before.view.name || before.view.path} longest={48} />
            </th>
            <th scope="col" class="sima-number">
              <Name text={after.view.name || after.view.path} longest={48} />
            </th>
            <th scope="col" class="sima-number">
              Change
            </th>
          </tr>
        </thead>
        <tbody>
          {known.map(([name, value, write]) => {
            const [one, other] = [value(before, measure), value(after, measure)];
            return (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{one == null ? "\u2013" : write(one)}</td>
                <td>{other == null ? "\u2013" : write(other)}</td>
                <td>{one == null || other == null ? "" : changed(one, other)}</td>
              </tr>
            );
          })}
          <tr>
            <th scope="row">Latency (MLA alone)</th>
            <td>{latency(before)}</td>
            <td>{latency(after)}</td>
            <td>{changed(cycles(before), cycles(after))}</td>
          </tr>
        </tbody>
      </table>
    </div>
  );
}

/** A change in words that need no colour: a sign, and the share of what it was. */
function changed(one: number, other: number): string {
  if (one === other) return "same";
  const share = one ? (other - one) / one : null;
  return share === null ? "new" : `${share > 0 ? "+" : "\u2212"}${percent(Math.abs(share))}`;
}

function signed(change: number): string {
  return change === 0 ? "0" : `${change > 0 ? "+" : "\u2212"}${count(Math.abs(change))}`;
}

function Layers({ data }: { data: ComparisonData }) {
  const id = useId();
  const [least, setLeast] = useState(data.over ?? 0);
  const [words, setWords] = useState("");
  const [order, setOrder] = useState<CompareOrder>("timeline");
  const all = useMemo(() => rowsOf(data), [data]);
  const rows = useMemo(() => {
    const wanted = wordsOf(words);
    return ordered(overThreshold(all, least), order).filter(row =>
      matches(`${row.name} ${row.other} ${row.kind?.label}`.toLowerCase(), wanted),
    );
  }, [all, least, words, order]);
  const sums = useMemo(() => sumsOf(rows), [rows]);
  const most = useMemo(() => rows.reduce((high, row) => Math.max(high, Math.abs(row.change)), 1), [rows]);
  return (
    <Section title="Layers">
      <div class="sima-controls">
        <TextField label="Filter" value={words} onInput={setWords} />
        <span class="sima-field">
          <label for={id}>Only changes over, in %</label>
          <input
            id={id}
            type="number"
            min={0}
            step={1}
            value={least}
            onInput={event => setLeast(event.currentTarget.valueAsNumber || 0)}
            {...OWN_KEYS}
          />
        </span>
      </div>
      <p role="status" class="sima-count">
        {count(rows.length)} of {count(all.length)} layers: {count(sums.added)} added, {count(sums.gone)} gone,{" "}
        {count(sums.changed)} changed; {signed(sums.change)} cycles
      </p>
      <VirtualRows
        label="Layers of both"
        rows={rows.length}
        columns={[
          {
            title: "Layer",
            className: "sima-wide",
            sort: order === "name" ? "ascending" : "none",
            onSort: () => setOrder("name"),
          },
          {
            title: "What",
            className: "sima-use",
            sort: order === "timeline" ? "ascending" : "none",
            onSort: () => setOrder("timeline"),
          },
          { title: "Before", className: "sima-number" },
          { title: "After", className: "sima-number" },
          {
            title: "Change",
            className: "sima-number",
            sort: order === "change" ? "descending" : "none",
            onSort: () => setOrder("change"),
          },
          { title: "%", className: "sima-number sima-use" },
        ]}
        cells={at => cellsOf(rows[at] as CompareRow, most)}
      />
    </Section>
  );
}

function sumsOf(rows: readonly CompareRow[]) {
  const sums = { added: 0, gone: 0, changed: 0, same: 0, change: 0 };
  for (const row of rows) {
    sums[row.what]++;
    sums.change += row.change;
  }
  return sums;
}

function cellsOf(row: CompareRow, most: number) {
  const write = (value: number | null) => (value === null ? "\u2013" : count(value));
  return [
    <>
      {row.kind && <Swatch label={row.kind} />}
      <Name text={row.name} longest={90} />
      {row.other && row.other !== row.name && (
        <small>
          {" was "}
          <Name text={row.other} longest={60} />
        </small>
      )}
    </>,
    row.what,
    write(row.before),
    write(row.after),
    <span class="sima-meter" style={{ "--sima-part": `${(100 * Math.abs(row.change)) / most}%` }}>
      {signed(row.change)}
    </span>,
    row.before === null || row.after === null ? "" : changed(row.before, row.after),
  ];
}

function Files({ data: { before, after } }: { data: ComparisonData }) {
  const [one, other] = [filesOf(before), filesOf(after)];
  const names = [...new Set([...one.keys(), ...other.keys()])];
  if (!names.length) return null;
  return (
    <Section title="Files">
      <div class="sima-scroll" tabIndex={0} role="region" aria-label="Files" {...OWN_KEYS}>
        <table class="sima-plain">
          <thead>
            <tr>
              <th scope="col">File</th>
              <th scope="col" class="sima-number">
                Before
              </th>
              <th scope="col" class="sima-number">
                After
              </th>
              <th scope="col" class="sima-number">
                Change
              </th>
            </tr>
          </thead>
          <tbody>
            {names.map(name => {
              const [left, right] = [one.get(name), other.get(name)];
              return (
                <tr key={name}>
                  <th scope="row">
                    <Name text={name} longest={80} />
                  </th>
                  <td>{left === undefined ? "\u2013" : size(left)}</td>
                  <td>{right === undefined ? "\u2013" : size(right)}</td>
                  <td>{left === undefined ? "added" : right === undefined ? "gone" : changed(left, right)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

/** Files by name, without the archive's own name in front: that differs and says nothing. */
function filesOf({ view, tables }: ViewData): Map<string, number> {
  const own = `${view.name}_`;
  return new Map(
    tables.files
      .records()
      .map(file => [file.name.startsWith(own) ? file.name.slice(own.length) : file.name, file.bytes]),
  );
}
