/**
 * Paints a timeline: ruler, lanes or rows, names, selection. Knows pixels; knows neither elements nor keys.
 *
 * All rectangles lie on whole pixels, bars below one pixel are merged (`model/track`), and the fill style changes only
 * where the colour does: that is what keeps a million intervals at the cost of an empty canvas.
 */
import type { Derived } from "../model/explorer_state.ts";
import { type Groups, groupsOf } from "../model/grouping.ts";
import type { Profile } from "../model/profile.ts";
import { type Range, type Scale, scaleOf, tickStep, ticks, toPixel } from "../model/scale.ts";
import { shortened } from "../model/text.ts";
import { type Bars, emptyBars, fillBars, type Row, type Shades, shadesOf } from "../model/track.ts";
import { axisFormat } from "../model/units.ts";
import { type Brush, brushesOf } from "./brushes.ts";
import type { Theme } from "./theme.ts";

export const RULER = 24;
export const LANE = 30;
export const ROW = 20;
/** Names of bars narrower than this would be one letter and dots. */
const NAMED = 44;
/** Wider bars end one pixel early, which tells neighbours apart. */
const GAPPED = 3;

export interface Place {
  readonly gutter: number;
  readonly width: number;
  readonly height: number;
  /** How far the rows are scrolled, in pixels. */
  readonly top: number;
}

export interface Scene {
  readonly context: CanvasRenderingContext2D;
  readonly theme: Theme;
  readonly derived: Derived;
  readonly range: Range;
  readonly place: Place;
  readonly hovered: number;
}

/** One row of one lane, with where it lies on the page. */
export interface Strip {
  readonly lane: number;
  readonly row: Row;
  readonly top: number;
  readonly height: number;
}

/** Caches that live as long as the timeline: bars, sums, brushes, groups. */
export interface Memory {
  bars: Bars;
  shades: WeakMap<Row, { readonly key: readonly unknown[]; readonly shades: Shades }>;
  groups: WeakMap<Row, Groups>;
  brushes: { readonly key: readonly unknown[]; readonly brushes: readonly Brush[] } | null;
}

export function emptyMemory(): Memory {
  return { bars: emptyBars(2048), shades: new WeakMap(), groups: new WeakMap(), brushes: null };
}

export function stripsOf(profile: Profile): Strip[] {
  return profile.lanes.flatMap((lane, at) => {
    const height = Math.floor((LANE - 4) / lane.track.rows.length);
    const top = RULER + at * LANE + 2;
    return lane.track.rows.map((row, index) => ({ lane: at, row, top: top + index * height, height }));
  });
}

export function lanesHeight(profile: Profile): number {
  return RULER + profile.lanes.length * LANE + 2;
}

export function paint(scene: Scene, memory: Memory): void {
  const { context, theme, place, derived } = scene;
  context.fillStyle = theme.paper;
  context.fillRect(0, 0, place.width, place.height);
  context.font = `${Math.round(theme.fontSize * 0.85)}px ${theme.font}`;
  context.textBaseline = "middle";
  const { layout } = derived.store.get();
  const scale = scaleOf(layout === "sorted" ? lengthsOf(derived) : scene.range, place.width - place.gutter);
  grid(scene, scale);
  if (layout === "lanes") paintLanes(scene, scale, memory);
  else paintRows(scene, scale, memory, layout === "sorted");
  ruler(scene, scale);
}

/** The axis of the rows that are sorted: from nothing to the longest that is shown. */
export function lengthsOf(derived: Derived): Range {
  const { cycles } = derived.profile;
  let most = 1;
  for (const row of derived.order()) most = Math.max(most, cycles[row] as number);
  return { from: 0, to: most * 1.02 };
}

function grid({ context, theme, place }: Scene, scale: Scale): void {
  context.fillStyle = theme.line;
  for (const tick of ticks(scale, scale.width / 90)) {
    context.fillRect(place.gutter + Math.floor(toPixel(scale, tick)), RULER, 1, place.height - RULER);
  }
}

function ruler({ context, theme, place, derived }: Scene, scale: Scale): void {
  const { profile, store } = derived;
  context.fillStyle = theme.paper;
  context.fillRect(0, 0, place.width, RULER - 1);
  context.fillStyle = theme.line;
  context.fillRect(0, RULER - 1, place.width, 1);
  const most = scale.width / 90;
  const step = tickStep((scale.to - scale.from) / Math.max(most, 1));
  const format = axisFormat(store.get().unit, profile.clockMhz, profile.total, step, scale.to);
  context.fillStyle = theme.soft;
  let free = 0;
  for (const tick of ticks(scale, most)) {
    const text = format(tick);
    const wide = context.measureText(text).width;
    const left = Math.min(
      place.width - wide - 2,
      Math.max(place.gutter + 2, place.gutter + toPixel(scale, tick) - wide / 2),
    );
    if (left < free) continue;
    context.fillText(text, left, RULER / 2);
    free = left + wide + 12;
  }
}

function brushes(scene: Scene, memory: Memory): readonly Brush[] {
  const key = [scene.theme, scene.derived.grouping()];
  if (!memory.brushes || memory.brushes.key.some((part, at) => part !== key[at])) {
    memory.brushes = { key, brushes: brushesOf(scene.context, scene.derived.grouping().labels, scene.theme) };
  }
  return memory.brushes.brushes;
}

function shades(row: Row, derived: Derived, memory: Memory): Shades {
  const grouping = derived.grouping();
  const mask = derived.painted();
  const known = memory.shades.get(row);
  if (known && known.key[0] === grouping && known.key[1] === mask) return known.shades;
  const made = shadesOf(row, grouping.ofLayer, grouping.labels.length, mask);
  memory.shades.set(row, { key: [grouping, mask], shades: made });
  return made;
}

function paintLanes(scene: Scene, scale: Scale, memory: Memory): void {
  const { context, theme, derived, place } = scene;
  const { profile } = derived;
  const mask = derived.painted();
  for (const strip of stripsOf(profile)) {
    fillBars(
      {
        row: strip.row,
        shades: shades(strip.row, derived, memory),
        from: scale.from,
        factor: scale.factor,
        width: scale.width,
        mask,
      },
      memory.bars,
    );
    paintBars(scene, strip, memory);
  }
  markSelected(scene, scale, memory);
  profile.lanes.forEach((lane, at) => {
    const top = RULER + at * LANE;
    context.fillStyle = theme.line;
    context.fillRect(0, top + LANE - 1, place.width, 1);
    if (!place.gutter) return;
    context.fillStyle = theme.paper;
    context.fillRect(0, top, place.gutter - 1, LANE - 1);
    context.fillStyle = theme.ink;
    context.fillText(lane.label, 2, top + LANE / 2);
  });
}

function paintBars(scene: Scene, strip: Strip, memory: Memory): void {
  const { context, place, derived } = scene;
  const { bars } = memory;
  const colours = brushes(scene, memory);
  let filled = -1;
  for (let i = 0; i < bars.length; i++) {
    const category = bars.category[i] as number;
    if (category !== filled) {
      context.fillStyle = colours[category]?.fill ?? scene.theme.soft;
      filled = category;
    }
    const left = bars.left[i] as number;
    let right = bars.right[i] as number;
    if (right - left > GAPPED) {
      context.fillRect(place.gutter + left, strip.top, right - left - 1, strip.height - 1);
      continue;
    }
    // Neighbours of one colour that are too narrow for a gap are one rectangle: half the work where bars are pixels.
    while (i + 1 < bars.length && isJoined(bars, i + 1, right, category)) right = bars.right[++i] as number;
    context.fillRect(place.gutter + left, strip.top, right - left, strip.height - 1);
  }
  if (strip.height < 14) return;
  for (let i = 0; i < bars.length; i++) {
    const left = bars.left[i] as number;
    const width = (bars.right[i] as number) - left;
    if (width < NAMED) continue;
    const layer = strip.row.layer[bars.index[i] as number] as number;
    context.fillStyle = colours[bars.category[i] as number]?.ink ?? scene.theme.ink;
    if (scene.theme.textured) context.fillStyle = plate(scene, place.gutter + left, strip, width);
    drawName(context, nameOf(derived.profile, layer), place.gutter + left + 4, strip.top + strip.height / 2, width - 9);
  }
}

function isJoined(bars: Bars, at: number, left: number, category: number): boolean {
  const width = (bars.right[at] as number) - (bars.left[at] as number);
  return bars.left[at] === left && bars.category[at] === category && width <= GAPPED;
}

/** A plain ground for a name on a pattern; gives the colour to write in. */
function plate({ context, theme }: Scene, left: number, strip: Strip, width: number): string {
  context.fillStyle = theme.paper;
  context.fillRect(left + 2, strip.top + 3, width - 5, strip.height - 7);
  return theme.ink;
}

export function nameOf(profile: Profile, layer: number): string {
  if (layer < 0) return "";
  const name = profile.layers.get(layer, "name") ?? "";
  // The segment is the same for hundreds of layers and hides what tells them apart.
  return shortened(name.slice(name.lastIndexOf("/") + 1) || name, 60);
}

/** A name in so much room: its end stays, because that is where names differ. */
export function drawName(
  context: CanvasRenderingContext2D,
  name: string,
  left: number,
  middle: number,
  room: number,
): void {
  const letter = context.measureText("m").width * 0.72;
  const most = Math.floor(room / letter);
  if (most < 3) return;
  const tail = Math.min(8, Math.floor(most / 2));
  const text = name.length > most ? `${name.slice(0, most - tail - 1)}\u2026${name.slice(-tail)}` : name;
  context.fillText(text, left, middle, room);
}

/** Frames around what is selected and hovered, drawn over the merged bars, so that no merging can hide it. */
function markSelected(scene: Scene, scale: Scale, memory: Memory): void {
  const { derived, theme, hovered } = scene;
  for (const layer of derived.chosen()) frame(scene, scale, memory, layer, theme.accent, 2);
  if (hovered >= 0) frame(scene, scale, memory, hovered, theme.ink, 1);
}

function frame(scene: Scene, scale: Scale, memory: Memory, layer: number, colour: string, thick: number): void {
  const { context, place, derived, theme } = scene;
  for (const strip of stripsOf(derived.profile)) {
    const groups = groupsIn(strip.row, derived.profile.size, memory);
    let last = -1;
    for (let at = groups.offsets[layer] ?? 0; at < (groups.offsets[layer + 1] ?? 0); at++) {
      const index = groups.members[at] as number;
      const left = Math.floor(toPixel(scale, strip.row.start[index] as number));
      const right = Math.max(left + 2, Math.floor(toPixel(scale, strip.row.end[index] as number)));
      if (right < 0 || left > scale.width || right <= last) continue;
      last = right;
      const [from, to] = [Math.max(-2, left), Math.min(scale.width + 2, right)];
      context.strokeStyle = theme.paper;
      context.lineWidth = thick + 2;
      context.strokeRect(place.gutter + from, strip.top, to - from, strip.height - 1);
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.strokeRect(place.gutter + from, strip.top, to - from, strip.height - 1);
      if (to - from < 6 && thick > 1) pointer(scene, place.gutter + (from + to) / 2, strip.top, colour);
    }
  }
}

/** A bar of a pixel is found by the small arrow above it. */
function pointer({ context }: Scene, x: number, y: number, colour: string): void {
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(x - 4, y - 5);
  context.lineTo(x + 4, y - 5);
  context.lineTo(x, y + 1);
  context.fill();
}

export function groupsIn(row: Row, layers: number, memory: Memory): Groups {
  let groups = memory.groups.get(row);
  if (!groups) {
    groups = groupsOf(row.layer, layers);
    memory.groups.set(row, groups);
  }
  return groups;
}

function paintRows(scene: Scene, scale: Scale, memory: Memory, isSorted: boolean): void {
  const { context, theme, derived, place } = scene;
  const order = derived.order();
  const chosen = new Set(derived.chosen());
  const first = Math.max(0, Math.floor(place.top / ROW));
  const last = Math.min(order.length, Math.ceil((place.top + place.height - RULER) / ROW));
  for (let at = first; at < last; at++) {
    const layer = order[at] as number;
    const top = RULER + at * ROW - place.top;
    if (chosen.has(layer) || layer === scene.hovered) {
      context.fillStyle = theme.panel;
      context.fillRect(0, top, place.width, ROW);
    }
    if (isSorted) paintLength(scene, scale, memory, layer, top);
    else paintIntervals(scene, scale, memory, layer, top);
    if (chosen.has(layer)) {
      context.strokeStyle = theme.accent;
      context.lineWidth = 2;
      context.strokeRect(1, top + 1, place.width - 2, ROW - 2);
    }
    paintRowName(scene, layer, top);
  }
}

function paintRowName({ context, theme, derived, place }: Scene, layer: number, top: number): void {
  const name = nameOf(derived.profile, layer);
  context.fillStyle = theme.ink;
  if (place.gutter) drawName(context, name, 6, top + ROW / 2, place.gutter - 12);
}

function paintLength(scene: Scene, scale: Scale, memory: Memory, layer: number, top: number): void {
  const { context, derived, place } = scene;
  const { profile } = derived;
  const colours = brushes(scene, memory);
  const causes = derived.store.get().colour === "cause" ? profile.layers.list(layer, "cause_cycles") : [];
  const parts = causes.length ? causes : [profile.cycles[layer] as number];
  let from = 0;
  parts.forEach((cycles, at) => {
    const left = Math.floor(toPixel(scale, from));
    from += cycles;
    const right = Math.floor(toPixel(scale, from));
    const group = causes.length ? at : (derived.grouping().ofLayer[layer] as number);
    context.fillStyle = colours[group]?.fill ?? scene.theme.soft;
    if (right > left || (cycles && right === 0))
      context.fillRect(place.gutter + left, top + 3, Math.max(1, right - left), ROW - 6);
  });
}

/** Heights of a lane's bar within a row: the schedule thin below, transfers thin above, compute between. */
const THIN: Readonly<Record<string, readonly [number, number]>> = {
  static: [ROW - 5, 3],
  dma_in: [2, 3],
  dma_out: [5, 3],
};

function paintIntervals(scene: Scene, scale: Scale, memory: Memory, layer: number, top: number): void {
  const { context, derived, place } = scene;
  const { profile } = derived;
  const group = derived.grouping().ofLayer[layer] as number;
  const fill = brushes(scene, memory)[group]?.fill ?? scene.theme.soft;
  const isAlone = profile.lanes.length === 1;
  for (const strip of stripsOf(profile)) {
    const key = profile.lanes[strip.lane]?.key ?? "";
    const [offset, height] = (!isAlone && THIN[key]) || [isAlone ? 3 : 8, isAlone ? ROW - 6 : 6];
    context.fillStyle = key === "static" && !isAlone ? scene.theme.soft : fill;
    const groups = groupsIn(strip.row, profile.size, memory);
    let last = -1;
    for (let at = groups.offsets[layer] ?? 0; at < (groups.offsets[layer + 1] ?? 0); at++) {
      const index = groups.members[at] as number;
      const left = Math.max(0, last, Math.floor(toPixel(scale, strip.row.start[index] as number)));
      const right = Math.min(
        scale.width,
        Math.max(left + 1, Math.floor(toPixel(scale, strip.row.end[index] as number))),
      );
      if (right <= left || right <= last) continue;
      context.fillRect(place.gutter + left, top + offset, right - left, height);
      last = right;
    }
  }
}
