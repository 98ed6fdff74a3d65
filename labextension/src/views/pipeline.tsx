/** The pipeline: plugins with processors, kernels or files, batch sizes and buffers; drawn, and as a table that says the same. */
import { useMemo } from "preact/hooks";
import type { ViewData } from "../columns.ts";
import type { Plugin } from "../contract.ts";
import { type Drawing, drawingOf, type Edge } from "../model/pipeline.ts";
import { labelOf } from "../model/profile.ts";
import { shortened } from "../model/text.ts";
import { count, size } from "../model/units.ts";
import type { Words } from "../model/words.ts";
import { OWN_KEYS } from "./keys.ts";
import { useWords } from "./reading.ts";
import { Name, Section, Swatch } from "./ui.tsx";

const BOX = { width: 168, height: 52, gapX: 74, gapY: 18, margin: 74 };

export function Pipeline({ data }: { data: ViewData }) {
  const words = useWords();
  const plugins = useMemo(() => data.tables.plugins.records(), [data]);
  const drawing = useMemo(() => drawingOf(plugins, data.tables.links.records()), [data, plugins]);
  if (!plugins.length) return null;
  return (
    <Section title={words.__("Pipeline (%1 plugins)", count(plugins.length))}>
      <div
        class="sima-scroll"
        tabIndex={0}
        role="region"
        aria-label={words.__("Drawing of the pipeline")}
        {...OWN_KEYS}
      >
        <Picture plugins={plugins} drawing={drawing} data={data} />
      </div>
      <div class="sima-scroll" tabIndex={0} role="region" aria-label={words.__("Plugins")} {...OWN_KEYS}>
        <Rows plugins={plugins} drawing={drawing} data={data} />
      </div>
    </Section>
  );
}

function leftOf(column: number): number {
  return BOX.margin + column * (BOX.width + BOX.gapX);
}

function topOf(row: number): number {
  return 4 + row * (BOX.height + BOX.gapY);
}

function Picture({ plugins, drawing, data }: { plugins: readonly Plugin[]; drawing: Drawing; data: ViewData }) {
  const width = leftOf(drawing.columns) + 4;
  const height = topOf(drawing.rows) - BOX.gapY + 6;
  const ends = (edge: Edge) => {
    const from = drawing.places[edge.source];
    const to = drawing.places[edge.target];
    const y1 = from ? topOf(from.row) + BOX.height / 2 : to ? topOf(to.row) + BOX.height / 2 : 0;
    const y2 = to ? topOf(to.row) + BOX.height / 2 : y1;
    const x1 = from ? leftOf(from.column) + BOX.width : 4;
    const x2 = to ? leftOf(to.column) : leftOf(from?.column ?? 0) + BOX.width + BOX.gapX - 6;
    return { x1, y1, x2, y2 };
  };
  return (
    <svg class="sima-pipeline" width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      {drawing.edges.map((edge, at) => {
        const { x1, y1, x2, y2 } = ends(edge);
        const middle = (x1 + x2) / 2;
        return (
          <g key={`${edge.name}-${at}`}>
            <path d={`M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2 - 5} ${y2}`} class="sima-edge" />
            <path d={`M${x2} ${y2}l-7 -4v8z`} class="sima-arrow" />
            {edge.bytes !== null && x2 - x1 < 2 * BOX.gapX && (
              <text x={middle} y={(y1 + y2) / 2 - 6} text-anchor="middle" class="sima-small">
                {size(edge.bytes)}
              </text>
            )}
          </g>
        );
      })}
      {drawing.places.map(place => {
        const plugin = plugins[place.index] as Plugin;
        const label = labelOf(data.view.palette.processors, plugin.processor);
        return (
          <g key={place.index} transform={`translate(${leftOf(place.column)} ${topOf(place.row)})`}>
            <rect width={BOX.width} height={BOX.height} rx="5" class="sima-box" />
            <rect width="5" height={BOX.height} rx="2" style={{ fill: label.colour }} />
            <text x="13" y="20" class="sima-strong">
              {shortened(plugin.name, 20)}
            </text>
            <text x="13" y="39" class="sima-small">
              {label.label}, {shortened(plugin.detail, 15)}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

function Rows({ plugins, drawing, data }: { plugins: readonly Plugin[]; drawing: Drawing; data: ViewData }) {
  const words = useWords();
  const titles = [words.__("Plugin"), words.__("Processor"), words.__("Kernel or file"), words.__("Batch")];
  return (
    <table class="sima-plain sima-wide-table">
      <thead>
        <tr>
          {["#", ...titles, words.__("Reads"), words.__("Writes")].map(title => (
            <th scope="col" key={title}>
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {plugins.map((plugin, index) => {
          const label = labelOf(data.view.palette.processors, plugin.processor);
          return (
            <tr key={plugin.sequence}>
              <td>{plugin.sequence}</td>
              <th scope="row">
                <Name text={plugin.name} />
              </th>
              <th class="sima-tight">
                <Swatch label={label} />
                {label.label}
              </th>
              <th>
                <Name text={plugin.detail} />
              </th>
              <td>{batchOf(plugin, words)}</td>
              <th>
                <Ends edges={drawing.edges.filter(edge => edge.target === index)} other="source" plugins={plugins} />
              </th>
              <th>
                <Ends edges={drawing.edges.filter(edge => edge.source === index)} other="target" plugins={plugins} />
              </th>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function batchOf(plugin: Plugin, words: Words): string {
  const { actual_batch_size: actual, desired_batch_size: desired } = plugin;
  if (actual == null) return "\u2013";
  return desired == null || desired === actual
    ? String(actual)
    : words.__("%1 (asked %2)", String(actual), String(desired));
}

function Ends(props: { edges: readonly Edge[]; other: "source" | "target"; plugins: readonly Plugin[] }) {
  const words = useWords();
  if (!props.edges.length) return <>{"\u2013"}</>;
  const isSource = props.other === "source";
  const far = isSource ? words.__("the model's input") : words.__("the model's output");
  return (
    <ul class="sima-names">
      {props.edges.map((edge, at) => (
        <li key={`${edge.name}-${at}`}>
          <Name text={edge.name} longest={60} />
          {edge.bytes !== null && `, ${size(edge.bytes)}`} {isSource ? words.__("from") : words.__("to")}{" "}
          {edge[props.other] < 0 ? far : <Name text={props.plugins[edge[props.other]]?.name ?? ""} longest={40} />}
        </li>
      ))}
    </ul>
  );
}
