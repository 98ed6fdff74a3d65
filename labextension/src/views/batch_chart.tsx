/** Samples per second and on-chip bytes over the batch size, with axes. The rows below say the same in numbers. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ViewHead } from "../columns.ts";
import type { BatchCandidate } from "../contract.ts";
import { type Verdict, verdictOf } from "../model/candidates.ts";
import { ticks } from "../model/scale.ts";
import { shortCount, shortRate, size } from "../model/units.ts";
import type { Words } from "../model/words.ts";
import { useWords } from "./reading.ts";

const HEIGHT = 210;
const PAD = { left: 62, right: 16, top: 22, bottom: 36 };

interface Axis {
  readonly label: string;
  readonly value: (row: BatchCandidate) => number | null | undefined;
  readonly write: (value: number) => string;
  readonly limit?: number | null | undefined;
}

export function BatchChart({ candidates, head }: { candidates: readonly BatchCandidate[]; head: ViewHead }) {
  const words = useWords();
  const limit = head.machine.on_chip_bytes;
  const rows = [...candidates].sort((one, other) => one.batch_size - other.batch_size);
  const last = rows.at(-1)?.batch_size ?? 1;
  const charts: Axis[] = [
    { label: words.__("samples per second"), value: row => row.samples_per_second, write: shortCount },
    { label: words.__("peak on-chip bytes"), value: row => row.peak_on_chip_bytes, write: size, limit },
  ];
  return (
    <div class="sima-charts">
      {charts
        .filter(axis => rows.some(row => axis.value(row) != null))
        .map(axis => (
          <Chart key={axis.label} axis={axis} rows={rows} last={last} actual={head.batch.actual_batch_size} />
        ))}
    </div>
  );
}

/** The width of an element in pixels, so that letters keep their size when the page gets narrow. */
function useWidth(): readonly [{ current: HTMLDivElement | null }, number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(480);
  useLayoutEffect(() => {
    const found = box.current;
    if (!found) return;
    const observer = new ResizeObserver(() => setWidth(Math.max(240, found.clientWidth)));
    observer.observe(found);
    return () => observer.disconnect();
  }, []);
  return [box, width];
}

function Chart(props: { axis: Axis; rows: readonly BatchCandidate[]; last: number; actual: number | null }) {
  const { axis, rows, last, actual } = props;
  const words = useWords();
  const [box, width] = useWidth();
  const known = rows.filter(row => axis.value(row) != null);
  const most = Math.max(1, axis.limit ?? 0, ...known.map(row => axis.value(row) ?? 0)) * 1.06;
  const x = (batch: number) => PAD.left + (batch / (last + 0.5)) * (width - PAD.left - PAD.right);
  const y = (value: number) => HEIGHT - PAD.bottom - (value / most) * (HEIGHT - PAD.top - PAD.bottom);
  const floor = HEIGHT - PAD.bottom;
  const steps = axis.write === size ? byteTicks(most) : ticks({ from: 0, to: most }, 4);
  const line = known.map((row, at) => `${at ? "L" : "M"}${x(row.batch_size)} ${y(axis.value(row) ?? 0)}`).join("");
  const sizes = ticks({ from: 0, to: last + 0.5 }, 8).filter(tick => tick >= 1 && Number.isInteger(tick));
  return (
    <div ref={box}>
      <svg
        viewBox={`0 0 ${width} ${HEIGHT}`}
        class="sima-chart"
        role="img"
        aria-label={words.__("Chart: %1 over batch size. The rows below hold its numbers.", axis.label)}
      >
        {steps.map(tick => (
          <g key={tick}>
            <path d={`M${PAD.left} ${y(tick)}H${width - PAD.right}`} class="sima-gridline" />
            <text x={PAD.left - 6} y={y(tick) + 4} text-anchor="end">
              {axis.write(tick)}
            </text>
          </g>
        ))}
        {(sizes.length ? sizes : [last]).map(tick => (
          <text key={tick} x={x(tick)} y={floor + 16} text-anchor="middle">
            {tick}
          </text>
        ))}
        <path d={`M${PAD.left} ${PAD.top}V${floor}H${width - PAD.right}`} class="sima-axis" />
        <text x={PAD.left} y={12} class="sima-strong">
          {axis.label}
        </text>
        <text x={width - PAD.right} y={HEIGHT - 4} text-anchor="end">
          {words.__("batch size")}
        </text>
        {axis.limit != null && (
          <g>
            <path d={`M${PAD.left} ${y(axis.limit)}H${width - PAD.right}`} class="sima-limit" />
            <text x={width - PAD.right} y={y(axis.limit) - 5} text-anchor="end">
              {words.__("on-chip memory: %1", size(axis.limit))}
            </text>
          </g>
        )}
        <path d={line} class="sima-curve" />
        {rows.map(row => {
          const value = axis.value(row);
          const verdict = verdictOf(row, actual);
          // A size that has no number stands on the axis where that is what became of it, and nowhere where nobody looked.
          if (value == null && row.status === "estimated") return null;
          return (
            <g
              key={row.batch_size}
              class="sima-point"
              data-verdict={verdict}
              transform={`translate(${x(row.batch_size)} ${value == null ? floor : y(value)})`}
            >
              <path d={MARKS[verdict]} />
              <title>
                {pointText(
                  row.batch_size,
                  verdictLabel(verdict, words),
                  value == null ? "" : exact(axis, value),
                  words,
                )}
              </title>
            </g>
          );
        })}
      </svg>
      <Key verdicts={[...new Set(rows.map(row => verdictOf(row, actual)))]} />
    </div>
  );
}

/** What a point says of itself; its number without the axis' rounding. */
function pointText(batch: number, verdict: string, value: string, words: Words): string {
  const text = words.__("batch %1: %2", String(batch), verdict);
  return value ? `${text}, ${value}` : text;
}

function exact(axis: Axis, value: number): string {
  return axis.write === shortCount ? shortRate(value) : axis.write(value);
}

export function verdictLabel(verdict: Verdict, words: Words): string {
  const labels: Readonly<Record<Verdict, string>> = {
    built: words.__("built"),
    feasible: words.__("feasible"),
    "not feasible": words.__("not feasible"),
    "does not fit": words.__("does not fit"),
  };
  return labels[verdict];
}

/** A shape each, so that no verdict is told by colour alone. */
const MARKS: Readonly<Record<Verdict, string>> = {
  built: "M0 -7L7 0L0 7L-7 0Z",
  feasible: "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0 -4 0Z",
  "not feasible": "M-4 -4L4 4M-4 4L4 -4",
  "does not fit": "M-4 -4H4V4H-4Z",
};

/** What the marks mean, below the chart: it wraps where the page is narrow. */
function Key({ verdicts }: { verdicts: readonly Verdict[] }) {
  const words = useWords();
  return (
    <p class="sima-note">
      {verdicts.map(verdict => (
        <span key={verdict} class="sima-key">
          <svg viewBox="-8 -8 16 16" width="12" height="12" aria-hidden="true">
            <g class="sima-point" data-verdict={verdict}>
              <path d={MARKS[verdict]} />
            </g>
          </svg>{" "}
          {verdictLabel(verdict, words)}
        </span>
      ))}
    </p>
  );
}

function byteTicks(most: number): number[] {
  const step = 2 ** Math.ceil(Math.log2(most / 5));
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, at) => at * step);
}
