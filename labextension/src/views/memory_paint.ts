/** Paints the memory map: address over time. Knows pixels; knows neither elements nor keys. */
import type { Label } from "../contract.ts";
import type { Derived } from "../model/explorer_state.ts";
import type { MemoryMap } from "../model/memory.ts";
import { labelOf } from "../model/profile.ts";
import { type Range, type Scale, scaleOf, tickStep, ticks, toPixel, within } from "../model/scale.ts";
import { visible } from "../model/text.ts";
import { axisFormat, count, size } from "../model/units.ts";
import { type Brush, brushesOf } from "./brushes.ts";
import type { Surface } from "./surface.ts";
import type { Theme } from "./theme.ts";
import { drawName } from "./timeline_paint.ts";

export const GUTTER = 64;
export const FOOT = 22;
const UNKNOWN = labelOf([], "other");

/** The range that is shared with the timeline; a map whose positions are steps has an axis of its own. */
export function rangeOf(map: MemoryMap, { store, profile }: Derived): Range {
  const { range } = store.get();
  if (!map.inCycles) return map.whole;
  return range ? within({ from: range[0], to: range[1] }, profile.whole) : profile.whole;
}

/** A picture of the map: what is needed to place a buffer on it. */
interface Picture {
  readonly context: CanvasRenderingContext2D;
  readonly theme: Theme;
  readonly map: MemoryMap;
  readonly scale: Scale;
  /** Height of the map itself, without the axis below. */
  readonly inner: number;
  readonly top: number;
  readonly brushes: readonly Brush[];
}

/** A buffer's rectangle in whole pixels, or null where it lies outside. */
function boxOf({ map, scale, inner, top }: Picture, at: number) {
  const left = Math.floor(toPixel(scale, map.start[at] as number));
  const right = Math.max(left + 1, Math.floor(toPixel(scale, map.end[at] as number)));
  if (right < 0 || left > scale.width) return null;
  const address = map.address[at] as number;
  const upper = pixelOf(address + (map.bytes[at] as number), top, inner);
  return { left: GUTTER + left, right: GUTTER + right, upper, high: Math.max(1, pixelOf(address, top, inner) - upper) };
}

function pixelOf(address: number, top: number, inner: number): number {
  return Math.round(inner - (address / top) * inner);
}

export function drawMemory(surface: Surface, theme: Theme, map: MemoryMap, derived: Derived, hovered: number): void {
  const { context, width, height } = surface;
  const inner = height - FOOT;
  const picture: Picture = {
    context,
    theme,
    map,
    inner,
    scale: scaleOf(rangeOf(map, derived), width - GUTTER),
    top: topOf(map),
    brushes: brushesOf(context, bufferLabels(derived), theme),
  };
  context.fillStyle = theme.paper;
  context.fillRect(0, 0, width, height);
  context.fillStyle = theme.panel;
  context.fillRect(GUTTER, 0, width - GUTTER, inner);
  context.font = `${Math.round(theme.fontSize * 0.85)}px ${theme.font}`;
  context.textBaseline = "middle";
  context.save();
  context.beginPath();
  context.rect(GUTTER, 0, width - GUTTER, inner);
  context.clip();
  const chosen = new Set(derived.chosen());
  const isChosen = (at: number) => chosen.size > 0 && (map.layers[at] ?? []).some(layer => chosen.has(layer));
  // A file that does not record which layers use a buffer must not fade all of them.
  const some = map.rows.some((_, at) => isChosen(at));
  for (let at = 0; at < map.rows.length; at++) paintBuffer(picture, at, some && !isChosen(at));
  for (let at = 0; at < map.rows.length; at++) {
    if (isChosen(at)) frameBuffer(picture, at, theme.accent);
  }
  if (hovered >= 0) frameBuffer(picture, hovered, theme.ink);
  context.restore();
  axes(picture, derived, width);
}

function paintBuffer(picture: Picture, at: number, isDim: boolean): void {
  const { context, map, theme } = picture;
  const box = boxOf(picture, at);
  if (!box) return;
  const width = box.right - box.left;
  const brush = picture.brushes[map.kind[at] as number];
  context.globalAlpha = isDim ? 0.35 : 1;
  context.fillStyle = brush?.fill ?? theme.soft;
  context.fillRect(box.left, box.upper, width > 3 ? width - 1 : width, box.high > 3 ? box.high - 1 : box.high);
  if (map.late[at]) hatch(context, brush?.ink ?? theme.ink, box.left, box.upper, width, box.high);
  if (!isDim && width > 60 && box.high > 14) {
    context.fillStyle = brush?.ink ?? theme.ink;
    const left = Math.max(GUTTER, box.left);
    label(
      context,
      map,
      at,
      left + 4,
      box.upper + box.high / 2,
      Math.min(box.right, GUTTER + picture.scale.width) - left - 10,
    );
  }
  context.globalAlpha = 1;
}

function frameBuffer(picture: Picture, at: number, colour: string): void {
  const box = boxOf(picture, at);
  if (!box) return;
  picture.context.lineWidth = 2;
  picture.context.strokeStyle = colour;
  picture.context.strokeRect(box.left, box.upper + 1, Math.max(2, box.right - box.left), Math.max(2, box.high - 2));
}

/** The highest address drawn: all of the memory, or what is used where that is less than two thirds. */
export function topOf(map: MemoryMap): number {
  return map.top * 1.5 < map.capacity ? map.top * 1.12 : map.capacity;
}

export function bufferLabels(derived: Derived): readonly Label[] {
  return [...derived.profile.view.palette.buffers, UNKNOWN];
}

export function peakBytes(map: MemoryMap): number {
  return map.reported ?? map.peak.bytes;
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
  drawName(context, name, x, y, room);
}

function axes({ context, theme, map, scale, inner, top }: Picture, derived: Derived, width: number): void {
  const { profile, store } = derived;
  const y = (address: number) => pixelOf(address, top, inner);
  context.fillStyle = theme.soft;
  context.textAlign = "right";
  let free = Number.POSITIVE_INFINITY;
  for (const tick of addressTicks(top)) {
    const at = Math.min(inner - 7, Math.max(7, y(tick)));
    if (free - at < 14) continue;
    context.fillText(size(tick), GUTTER - 6, at);
    free = at;
  }
  context.textAlign = "left";
  const most = Math.max(1, scale.width / 90);
  const format = map.inCycles
    ? axisFormat(store.get().unit, profile.clockMhz, profile.total, tickStep((scale.to - scale.from) / most), scale.to)
    : (value: number) => derived.words.__("step %1", count(value));
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
  const text = derived.words.__("peak %1", size(peakBytes(map)));
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
