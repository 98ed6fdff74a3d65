/** Parts of the report that no other view has: the machine, memory by segment, what does not run on the MLA, the files. */
import type { ComponentChildren } from "preact";
import type { ViewData, ViewHead } from "../columns.ts";
import type { Segment } from "../contract.ts";
import { labelOf } from "../model/profile.ts";
import { visible } from "../model/text.ts";
import { count, size } from "../model/units.ts";
import { OWN_KEYS } from "./keys.ts";
import { useWords } from "./reading.ts";
import { Name, Section } from "./ui.tsx";

/** The machine that cycles are counted for, its clock, and the file. */
export function Machine({ view }: { view: ViewHead }) {
  const words = useWords();
  const { name, clock_mhz: clock, clock_assumed: isAssumed, quads } = view.machine;
  const parts = [
    visible(name) || words.__("machine not named"),
    clock >= 1000 ? `${clock / 1000} GHz` : `${clock} MHz`,
    quads ? words._n("%2 quad", "%2 quads", quads, count(quads)) : "",
  ].filter(Boolean);
  return (
    <p class="sima-note">
      {parts.join(", ")}, <Name text={view.path} longest={200} />
      {isAssumed && `; ${view.wordings["clock_assumed"] ?? ""}`}
    </p>
  );
}

interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

/** Rows under headings; the first column names the row. */
function Rows(props: { title: string; columns: readonly Column[]; rows: readonly (readonly ComponentChildren[])[] }) {
  if (!props.rows.length) return null;
  return (
    <Section title={props.title}>
      <div class="sima-scroll" tabIndex={0} role="region" aria-label={props.title} {...OWN_KEYS}>
        <table class="sima-plain sima-wide-table">
          <thead>
            <tr>
              {props.columns.map(({ title, isNumber }) => (
                <th scope="col" key={title} class={isNumber ? "sima-number" : undefined}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {props.rows.map((cells, row) => (
              <tr key={row}>
                {cells.map((cell, at) =>
                  props.columns[at]?.isNumber ? (
                    <td key={at}>{cell}</td>
                  ) : (
                    <th key={at} scope={at === 0 ? "row" : undefined}>
                      {cell}
                    </th>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

export function SegmentMemory({ view }: { view: ViewHead }) {
  const words = useWords();
  const known = view.segments.filter(segment => segment.peak_bytes != null);
  const bytes = (value: number | null) => (value == null ? (view.wordings["not_recorded"] ?? "") : size(value));
  return (
    <Rows
      title={words.__("On-chip memory")}
      columns={[
        { title: words.__("Segment") },
        { title: words.__("Peak"), isNumber: true },
        { title: words.__("Lower bound"), isNumber: true },
        { title: words.__("On chip"), isNumber: true },
        { title: words.__("Spilled to DRAM") },
      ]}
      rows={known.map(segment => [
        <Name text={segment.name} />,
        bytes(segment.peak_bytes),
        bytes(segment.lower_bound_bytes),
        bytes(segment.on_chip_bytes),
        spilled(segment, words.__("nothing")),
      ])}
    />
  );
}

function spilled({ spilled: tensors }: Segment, nothing: string): string {
  return tensors.map(tensor => `${visible(tensor.name)} (${size(tensor.bytes)})`).join(", ") || nothing;
}

export function Elsewhere({ data }: { data: ViewData }) {
  const words = useWords();
  const rows = data.tables.placements.records().filter(one => one.processor !== "MLA");
  return (
    <Rows
      title={words.__("Not on the MLA")}
      columns={[{ title: words.__("Node") }, { title: words.__("Processor") }, { title: words.__("Why") }]}
      rows={rows.map(one => [
        <Name text={one.node} />,
        labelOf(data.view.palette.processors, one.processor).label,
        visible(one.reason ?? ""),
      ])}
    />
  );
}

export function FileRows({ data }: { data: ViewData }) {
  const words = useWords();
  const files = data.tables.files.records();
  return (
    <Rows
      title={words.__("Files")}
      columns={[{ title: words.__("File") }, { title: words.__("Role") }, { title: words.__("Size"), isNumber: true }]}
      rows={files.map(file => [
        <Name text={file.name} longest={80} />,
        labelOf(data.view.palette.roles, file.role).label,
        size(file.bytes),
      ])}
    />
  );
}
