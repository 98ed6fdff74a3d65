/** Two archives (or statistics files) side by side: totals, batch, files, and every layer with what became of it. */

import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { ViewData } from "../columns.ts";
import type { Handle, Host } from "../hosts/host.ts";
import {
  type CompareOrder,
  type CompareRow,
  type ComparisonData,
  fileCells,
  ordered,
  overThreshold,
  type Pair,
  rowsOf,
  totalCells,
} from "../model/comparison.ts";
import { matches, wordsOf } from "../model/filter.ts";
import { visible } from "../model/text.ts";
import { change, count, signed } from "../model/units.ts";
import { ENGLISH, type Words } from "../model/words.ts";
import parts from "../styles/parts.css";
import { useId } from "./ids.ts";
import { OWN_KEYS } from "./keys.ts";
import { mountView } from "./mounting.tsx";
import { useWords } from "./reading.ts";
import { CellName, Name, Section, Swatch, TextField } from "./ui.tsx";
import { VirtualRows } from "./virtual_rows.tsx";

export function mount(element: HTMLElement, data: ComparisonData, host: Host): Handle {
  const { words = ENGLISH } = host;
  const content = () => <Comparison data={data} onPair={host.onPair} />;
  const mounted = mountView(element, words.__("Comparison"), content, { styles: parts, words });
  return { update: () => undefined, dispose: mounted.dispose };
}

interface Props {
  readonly data: ComparisonData;
  readonly onPair: Host["onPair"];
}

function Comparison({ data, onPair }: Props) {
  return (
    <>
      {data.notes.map(note => (
        <p class="sima-note" key={note}>
          {visible(note[0]?.toUpperCase() + note.slice(1))}.
        </p>
      ))}
      <Totals data={data} />
      <Layers data={data} onPair={onPair} />
      <Files data={data} />
    </>
  );
}

function Totals({ data: { before, after, totals } }: { data: ComparisonData }) {
  const words = useWords();
  // Two compiles of one model have one name: then their paths tell them apart.
  const isSame = before.view.name === after.view.name;
  const nameOf = ({ view }: ViewData) => <Name text={isSame ? view.path : view.name || view.path} longest={48} />;
  return (
    <Plain
      label={words.__("Totals")}
      columns={[words.__("Total"), nameOf(before), nameOf(after), words.__("Change")]}
      rows={totals.map(total => [total.label, ...totalCells(total)])}
    />
  );
}

/** A table whose first column names the row and whose others are numbers. */
function Plain(props: {
  label: string;
  columns: readonly ComponentChildren[];
  rows: readonly (readonly ComponentChildren[])[];
}) {
  const [first, ...others] = props.columns;
  return (
    <div class="sima-scroll" tabIndex={0} role="region" aria-label={props.label} {...OWN_KEYS}>
      <table class="sima-plain">
        <thead>
          <tr>
            <th scope="col">{first}</th>
            {others.map((column, at) => (
              <th scope="col" class="sima-number" key={at}>
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map(([name, ...cells], at) => (
            <tr key={at}>
              <th scope="row">{name}</th>
              {cells.map((cell, at) => (
                <td key={at}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Layers({ data, onPair }: Props) {
  const id = useId();
  const words = useWords();
  const [least, setLeast] = useState(data.over ?? 0);
  const [filter, setFilter] = useState("");
  const [order, setOrder] = useState<CompareOrder>("timeline");
  const all = useMemo(() => rowsOf(data), [data]);
  const rows = useMemo(() => {
    const wanted = wordsOf(filter);
    return ordered(overThreshold(all, least), order).filter(row =>
      matches(`${row.name} ${row.other} ${row.kind?.label}`.toLowerCase(), wanted),
    );
  }, [all, least, filter, order]);
  const [chosen, setChosen] = useState<Pair | null>(null);
  const choose = (row: CompareRow | undefined) => {
    if (!row || !onPair) return;
    setChosen(row.pair);
    const [before, after] = row.pair;
    onPair(idAt(data.before, before), idAt(data.after, after));
  };
  const sums = useMemo(() => sumsOf(rows), [rows]);
  const most = useMemo(() => rows.reduce((high, row) => Math.max(high, Math.abs(row.change)), 1), [rows]);
  return (
    <Section title={words.__("Layers")}>
      <div class="sima-controls">
        <TextField label={words.__("Filter")} value={filter} onInput={setFilter} />
        <span class="sima-field">
          <label for={id}>{words.__("Only changes over, in %")}</label>
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
        {words.__(
          "%1 of %2 layers: %3 added, %4 gone, %5 changed; %6 cycles",
          ...[rows.length, all.length, sums.added, sums.gone, sums.changed].map(count),
          signed(sums.change),
        )}
      </p>
      <VirtualRows
        label={words.__("Layers of both")}
        rows={rows.length}
        {...(onPair && {
          chosen: rows.findIndex(row => row.pair === chosen),
          onChoose: (at: number) => choose(rows[at]),
        })}
        columns={[
          {
            title: words.__("Layer"),
            className: "sima-wide",
            sort: order === "name" ? "ascending" : "none",
            onSort: () => setOrder("name"),
          },
          {
            title: words.__("What"),
            className: "sima-use",
            sort: order === "timeline" ? "ascending" : "none",
            onSort: () => setOrder("timeline"),
          },
          { title: words.__("Before"), className: "sima-number" },
          { title: words.__("After"), className: "sima-number" },
          {
            title: words.__("Change"),
            className: "sima-number",
            sort: order === "change" ? "descending" : "none",
            onSort: () => setOrder("change"),
          },
          { title: "%", className: "sima-number sima-use" },
        ]}
        cells={at => cellsOf(rows[at] as CompareRow, most, words)}
      />
    </Section>
  );
}

/** The id of the layer in a row; a file without ids numbers its layers as they come. */
function idAt({ tables: { layers } }: ViewData, row: number): number | null {
  return row < 0 ? null : (layers.get(row, "id") ?? row);
}

function sumsOf(rows: readonly CompareRow[]) {
  const sums = { added: 0, gone: 0, changed: 0, same: 0, change: 0 };
  for (const row of rows) {
    sums[row.what]++;
    sums.change += row.change;
  }
  return sums;
}

function cellsOf(row: CompareRow, most: number, words: Words) {
  const write = (value: number | null) => (value === null ? "\u2013" : count(value));
  return [
    <span class="sima-names-cell">
      {row.kind && <Swatch label={row.kind} />}
      <CellName text={row.name} />
      {row.other && row.other !== row.name && (
        <small>
          {` ${words.__("was")} `}
          <CellName text={row.other} />
        </small>
      )}
    </span>,
    whatLabel(row.what, words),
    write(row.before),
    write(row.after),
    <span class="sima-meter" style={{ "--sima-part": `${(100 * Math.abs(row.change)) / most}%` }}>
      {signed(row.change)}
    </span>,
    row.before === null || row.after === null ? "" : change(row.before, row.after),
  ];
}

function whatLabel(what: CompareRow["what"], words: Words): string {
  const labels: Readonly<Record<CompareRow["what"], string>> = {
    changed: words.__("changed"),
    same: words.__("same"),
    added: words.__("added"),
    gone: words.__("gone"),
  };
  return labels[what];
}

function Files({ data: { files } }: { data: ComparisonData }) {
  const words = useWords();
  if (!files.length) return null;
  return (
    <Section title={words.__("Files")}>
      <Plain
        label={words.__("Files")}
        columns={[words.__("File"), words.__("Before"), words.__("After"), words.__("Change")]}
        rows={files.map(file => [<Name text={file.name} longest={80} />, ...fileCells(file, words)])}
      />
    </Section>
  );
}
