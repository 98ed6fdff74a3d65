/** On-chip memory: address over time, one rectangle per buffer; what is selected elsewhere is framed here, and back. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Derived } from "../model/explorer_state.ts";
import { bufferAt, type MemoryMap, memoryMaps } from "../model/memory.ts";
import { scaleOf, tickStep, ticks, toCycle, toPixel, within } from "../model/scale.ts";
import { visible } from "../model/text.ts";
import { axisFormat, count, percent, size } from "../model/units.ts";
import { brushesOf } from "./brushes.ts";
import { OWN_KEYS } from "./keys.ts";
import { type Surface, surfaceOn } from "./surface.ts";
import { readTheme, type Theme, watchTheme } from "./theme.ts";
import { Choice, Name, Section, Swatch, useStore } from "./ui.tsx";

const GUTTER = 64;
const FOOT = 22;
const UNKNOWN = { key: "", label: "other", colour: "#999999", pattern: "checks" };

export function Memory({ derived }: { derived: Derived }) {
  const maps = useMemo(() => memoryMaps(derived.profile), [derived]);
  const [at, setAt] = useState(0);
  const map = maps[Math.min(at, maps.length - 1)];
  const { wordings } = derived.profile.view;
  if (!map) {
    return (
      <Section title="On-chip memory">
        <p class="sima-note">{wordings["no_memory_map"] ?? "No memory map is recorded."}</p>
      </Section>
    );
  }
  const options = maps.map((found, index) => [String(index), visible(found.segment)] as const);
  const aside = maps.length > 1 && (
    <Choice label="Segment" value={String(at)} options={options} onChange={value => setAt(Number(value))} />
  );
  return (
    <Section title="On-chip memory" aside={aside}>
      <Sentence map={map} />
      <MapPicture key={map.segment} map={map} derived={derived} />
      <div class="sima-legend">
        {[...derived.profile.view.palette.buffers, UNKNOWN].map(
          (label, kind) =>
            map.kind.includes(kind) && (
              <span key={label.key} class="sima-key">
                <Swatch label={label} />
                {label.label}
              </span>
            ),
        )}
      </div>
      <Spilled derived={derived} map={map} />
    </Section>
  );
}

function peakBytes(map: MemoryMap): number {
  return map.reported ?? map.peak.bytes;
}

function Sentence({ map }: { map: MemoryMap }) {
  const late = map.late.reduce((sum, flag) => sum + flag, 0);
  const peak = peakBytes(map);
  return (
    <p class="sima-note">
      Peak {size(peak)} of {size(map.capacity)} ({percent(map.capacity ? peak / map.capacity : 0)}),{" "}
      {count(map.rows.length)} buffers
      {late > 0 && `, ${count(late)} of them held longer than anything uses them (hatched)`}.
    </p>
  );
}

function Spilled({ derived, map }: { derived: Derived; map: MemoryMap }) {
  const segment = derived.profile.view.segments.find(found => found.name === map.segment);
  const spilled = segment?.spilled ?? [];
  if (!spilled.length) return null;
  return (
    <details class="sima-more">
      <summary {...OWN_KEYS}>{count(spilled.length)} tensors do not fit and go through DRAM</summary>
      <ul class="sima-names">
        {spilled.map(tensor => (
          <li key={tensor.name}>
            <Name text={tensor.name} /> {size(tensor.bytes)}
          </li>
        ))}
      </ul>
    </details>
  );
}

function MapPicture({ map, derived }: { map: MemoryMap; derived: Derived }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const surface = useRef<Surface | null>(null);
  const hover = useRef(-1);
  const [at, setAt] = useState(-1);
  const state = useStore(derived.store);

  useEffect(() => {
    if (!canvas.current) return;
    let theme: Theme | null = null;
    const made = surfaceOn(canvas.current, found => {
      theme ??= readTheme(found.canvas);
      draw(found, theme, map, derived, hover.current);
    });
    surface.current = made;
    const release = watchTheme(canvas.current, () => {
      theme = null;
      made.flush();
    });
    return () => {
      release();
      made.dispose();
    };
  }, [map, derived]);
  useEffect(() => surface.current?.invalidate(), [state, at]);

  const show = (buffer: number) => {
    hover.current = buffer;
    setAt(buffer);
  };
  const find = (event: PointerEvent | MouseEvent): number => {
    const found = surface.current;
    if (!found) return -1;
    const box = found.canvas.getBoundingClientRect();
    const scale = scaleOf(rangeOf(map, derived), found.width - GUTTER);
    const height = found.height - FOOT;
    const address = ((height - (event.clientY - box.top)) / height) * map.capacity;
    return bufferAt(map, toCycle(scale, event.clientX - box.left - GUTTER), address);
  };
  const pick = (buffer: number) => {
    if (buffer < 0) return;
    const ids = (map.layers[buffer] ?? [])
      .filter(layer => layer >= 0)
      .map(layer => derived.profile.ids[layer] as number);
    if (ids.length) derived.store.set({ selected: ids });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) show(Math.min(map.rows.length - 1, Math.max(0, at + step)));
    else if (event.key === "Enter" || event.key === " ") pick(at);
    else if (event.key === "Escape") show(-1);
    else return;
    event.preventDefault();
  };
  return (
    <div class="sima-memory">
      <div
        role="application"
        aria-roledescription="memory map"
        aria-label={`On-chip memory of ${visible(map.segment) || "the accelerator"}: address over time`}
        aria-description="Arrow keys go from buffer to buffer, Enter selects the layers that use it."
        tabIndex={0}
        onKeyDown={onKeyDown}
        {...OWN_KEYS}
      >
        <canvas
          ref={canvas}
          class="sima-canvas sima-map"
          aria-hidden="true"
          onPointerMove={event => show(find(event))}
          onPointerLeave={() => show(-1)}
          onClick={event => pick(find(event))}
        />
      </div>
      <p class="sima-note sima-line" role="status">
        {at >= 0 ? describe(map, at, derived) : "\u00a0"}
      </p>
    </div>
  );
}

function describe(map: MemoryMap, at: number, { profile }: Derived): string {
  const row = map.rows[at] as number;
  const { buffers } = map;
  const label = profile.view.palette.buffers[map.kind[at] as number]?.label ?? buffers.get(row, "kind") ?? "";
  const unit = map.inCycles ? "cycles" : "steps";
  const late = map.late[at] ? ", held longer than anything uses it" : "";
  const name = visible((buffers.get(row, "name") ?? "").slice(0, 120));
  return `${name}: ${label}, ${size(map.bytes[at] as number)} at ${count(map.address[at] as number)}, ${unit} ${count(map.start[at] as number)} to ${count((map.end[at] as number) - 1)}${late}`;
}

/** The range that is shared with the timeline; a map whose positions are steps has an axis of its own. */
function rangeOf(map: MemoryMap, { store, profile }: Derived) {
  const { range } = store.get();
  if (!map.inCycles) return map.whole;
  return range ? within({ from: range[0], to: range[1] }, profile.whole) : profile.whole;
}

function draw(
  { context, width, height }: Surface,
  theme: Theme,
  map: MemoryMap,
  derived: Derived,
  hovered: number,
): void {
  const inner = height - FOOT;
  const scale = scaleOf(rangeOf(map, derived), width - GUTTER);
  const y = (address: number) => Math.round(inner - (address / map.capacity) * inner);
  context.fillStyle = theme.paper;
  context.fillRect(0, 0, width, height);
  context.fillStyle = theme.panel;
  context.fillRect(GUTTER, 0, width - GUTTER, inner);
  const brushes = brushesOf(context, [...derived.profile.view.palette.buffers, UNKNOWN], theme);
  const chosen = new Set(derived.chosen());
  context.font = `${Math.round(theme.fontSize * 0.85)}px ${theme.font}`;
  context.textBaseline = "middle";
  const framed: number[] = [];
  context.save();
  context.beginPath();
  context.rect(GUTTER, 0, width - GUTTER, inner);
  context.clip();
  for (let at = 0; at < map.rows.length; at++) {
    const left = Math.floor(toPixel(scale, map.start[at] as number));
    const right = Math.max(left + 1, Math.floor(toPixel(scale, map.end[at] as number)));
    if (right < 0 || left > scale.width) continue;
    const top = y((map.address[at] as number) + (map.bytes[at] as number));
    const high = Math.max(1, y(map.address[at] as number) - top);
    const isChosen = map.layers[at]?.some(layer => chosen.has(layer));
    const isDim = chosen.size > 0 && !isChosen;
    context.globalAlpha = isDim ? 0.35 : 1;
    const brush = brushes[map.kind[at] as number];
    context.fillStyle = brush?.fill ?? theme.soft;
    context.fillRect(
      GUTTER + left,
      top,
      Math.max(1, right - left - (right - left > 3 ? 1 : 0)),
      Math.max(1, high - (high > 3 ? 1 : 0)),
    );
    if (map.late[at]) hatch(context, brush?.ink ?? theme.ink, GUTTER + left, top, right - left, high);
    if (isChosen || at === hovered) framed.push(at);
    if (!isDim && right - left > 60 && high > 14) {
      context.fillStyle = brush?.ink ?? theme.ink;
      label(
        context,
        map,
        at,
        GUTTER + Math.max(0, left) + 4,
        top + high / 2,
        Math.min(right, scale.width) - Math.max(0, left) - 10,
      );
    }
  }
  context.globalAlpha = 1;
  for (const at of framed) {
    const left = toPixel(scale, map.start[at] as number);
    const right = toPixel(scale, map.end[at] as number);
    const top = y((map.address[at] as number) + (map.bytes[at] as number));
    context.lineWidth = 2;
    context.strokeStyle = at === hovered ? theme.ink : theme.accent;
    context.strokeRect(
      GUTTER + left,
      top + 1,
      Math.max(2, right - left),
      Math.max(2, y(map.address[at] as number) - top - 2),
    );
  }
  context.restore();
  axes(context, theme, map, derived, width, inner, y);
}

function hatch(
  context: CanvasRenderingContext2D,
  ink: string,
  left: number,
  top: number,
  width: number,
  high: number,
): void {
  context.save();
  context.beginPath();
  context.rect(left, top, width, high);
  context.clip();
  context.strokeStyle = ink;
  context.globalAlpha *= 0.5;
  context.lineWidth = 1;
  context.beginPath();
  const from = Math.max(left - high, left - 4000);
  for (let x = from; x < Math.min(left + width, left + 4000); x += 7) {
    context.moveTo(x, top + high);
    context.lineTo(x + high, top);
  }
  context.stroke();
  context.restore();
}

function label(
  context: CanvasRenderingContext2D,
  map: MemoryMap,
  at: number,
  x: number,
  y: number,
  room: number,
): void {
  const name = visible((map.buffers.get(map.rows[at] as number, "name") ?? "").slice(0, 60));
  const most = Math.floor(room / (context.measureText("m").width * 0.72));
  if (most > 3) context.fillText(name.length > most ? `${name.slice(0, most - 1)}\u2026` : name, x, y, room);
}

function axes(
  context: CanvasRenderingContext2D,
  theme: Theme,
  map: MemoryMap,
  derived: Derived,
  width: number,
  inner: number,
  y: (address: number) => number,
): void {
  const { profile, store } = derived;
  const scale = scaleOf(rangeOf(map, derived), width - GUTTER);
  context.fillStyle = theme.soft;
  context.textAlign = "right";
  let free = Number.POSITIVE_INFINITY;
  for (const tick of addressTicks(map.capacity)) {
    const at = Math.min(inner - 7, Math.max(7, y(tick)));
    if (free - at < 14) continue;
    context.fillText(size(tick), GUTTER - 6, at);
    free = at;
  }
  context.textAlign = "left";
  const most = Math.max(1, scale.width / 90);
  const format = map.inCycles
    ? axisFormat(store.get().unit, profile.clockMhz, profile.total, tickStep((scale.to - scale.from) / most), scale.to)
    : (value: number) => `step ${count(value)}`;
  for (const tick of ticks(scale, most)) {
    const text = format(tick);
    const x = Math.min(width - context.measureText(text).width - 2, GUTTER + toPixel(scale, tick) + 2);
    context.fillText(text, x, inner + FOOT / 2);
  }
  const peak = y(peakBytes(map));
  context.strokeStyle = theme.ink;
  context.lineWidth = 1;
  context.setLineDash([5, 4]);
  context.beginPath();
  context.moveTo(GUTTER, peak + 0.5);
  context.lineTo(width, peak + 0.5);
  context.stroke();
  context.setLineDash([]);
  const text = `peak ${size(peakBytes(map))}`;
  const wide = context.measureText(text).width;
  const below = peak < 18 ? peak + 10 : peak - 9;
  context.fillStyle = theme.paper;
  context.fillRect(width - wide - 10, below - 8, wide + 8, 16);
  context.fillStyle = theme.ink;
  context.fillText(text, width - wide - 6, below);
}

function addressTicks(capacity: number): number[] {
  const step = 2 ** Math.ceil(Math.log2(Math.max(capacity / 5, 1)));
  return Array.from({ length: Math.floor(capacity / step) + 1 }, (_, at) => at * step);
}
