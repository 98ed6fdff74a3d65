/**
 * The timeline as an element: pointer, wheel, keys, tooltip and overview strip around what `timeline_paint` draws.
 *
 * Plain wheel scrolls the page; with Ctrl (or a pinch) it zooms, with Shift or sideways it moves. Dragging moves, dragging on
 * the ruler or the overview picks a range. What the pointer does goes to the shared state once per gesture, so that
 * the table follows without being sorted for every pixel.
 */
import type { Derived } from "../model/explorer_state.ts";
import { axisMove } from "../model/keyboard.ts";
import { panned, type Range, revealing, scaleOf, toCycle, within, zoomed } from "../model/scale.ts";
import { visible } from "../model/text.ts";
import { intervalAt, sharing } from "../model/track.ts";
import { count, spoken } from "../model/units.ts";
import { TALLEST } from "../model/virtual.ts";
import { element, type Release } from "./elements.ts";
import { OWN_KEYS } from "./keys.ts";
import { overviewOn } from "./overview.ts";
import { type Surface, surfaceOn } from "./surface.ts";
import { readTheme, type Theme, watchTheme } from "./theme.ts";
import { emptyMemory, lanesHeight, type Place, paint, ROW, RULER, stripsOf } from "./timeline_paint.ts";

/** The rest of a gesture reaches the table this many milliseconds after the last movement. */
const SETTLE = 120;
/** Rows that are seen before the timeline scrolls inside. */
const ROWS_SEEN = 16;
/** Below this width names stand on bars only. */
const NARROW = 480;

function setHeight(element: HTMLElement, pixels: number): void {
  const height = `${pixels}px`;
  if (element.style.height !== height) element.style.height = height;
}

export interface Timeline {
  readonly element: HTMLElement;
  readonly zoom: (move: "closer" | "further" | "all" | "selection") => void;
  readonly flush: () => void;
  readonly dispose: () => void;
}

export function createTimeline(derived: Derived, announce: (text: string) => void): Timeline {
  return new TimelineView(derived, announce);
}

class TimelineView implements Timeline {
  readonly element: HTMLElement;
  private readonly canvas = element("canvas", { className: "sima-canvas", ariaHidden: "true" });
  private readonly scroller: HTMLElement;
  private readonly spacer = element("div");
  private readonly tip = element("div", { className: "sima-tip", hidden: true, role: "tooltip" });
  private readonly surface: Surface;
  private readonly overview: ReturnType<typeof overviewOn>;
  private readonly memory = emptyMemory();
  private readonly releases: Release[] = [];
  private theme: Theme | null = null;
  private range: Range;
  private hovered = -1;
  /** How many intervals share the pixel that the pointer was on last. */
  private merged = 1;
  private settling = 0;
  private active = -1;
  private readonly derived: Derived;
  private readonly announce: (text: string) => void;

  constructor(derived: Derived, announce: (text: string) => void) {
    this.derived = derived;
    this.announce = announce;
    this.range = this.sharedRange();
    this.scroller = element("div", {
      className: "sima-timeline",
      tabIndex: 0,
      role: "application",
      ariaLabel: derived.words.__("Timeline"),
      ariaRoleDescription: derived.words.__("timeline"),
      attributes: {
        ...OWN_KEYS,
        "aria-description": derived.words.__(
          "Arrow keys go from layer to layer, Home and End to the first and last. Plus and minus zoom, 0 shows all, Shift with arrows moves. Escape clears.",
        ),
      },
    });
    this.scroller.append(this.canvas, this.spacer);
    const overviewCanvas = element("canvas", { className: "sima-overview", ariaHidden: "true" });
    this.element = element("div", { className: "sima-timebox" });
    this.element.append(overviewCanvas, this.scroller, this.tip);
    this.surface = surfaceOn(this.canvas, surface => this.paint(surface));
    this.overview = overviewOn(overviewCanvas, derived, {
      theme: () => this.themeNow(),
      gutter: () => this.place().gutter,
      range: () => this.range,
      choose: range => this.move(range),
    });
    this.listen();
    this.resize();
  }

  zoom(move: "closer" | "further" | "all" | "selection"): void {
    const { whole } = this.derived.profile;
    if (move === "all") this.move(whole, true);
    else if (move === "selection") this.showSelection();
    else {
      const middle = (this.range.from + this.range.to) / 2;
      this.move(zoomed(this.range, move === "closer" ? 0.5 : 2, middle, whole), true);
    }
  }

  flush(): void {
    this.theme = null;
    this.surface.flush();
    this.overview.flush();
  }

  dispose(): void {
    clearTimeout(this.settling);
    for (const release of this.releases) release();
    this.overview.dispose();
    this.surface.dispose();
    this.element.remove();
  }

  private listen(): void {
    const { scroller, canvas, derived } = this;
    const on = <Kind extends keyof HTMLElementEventMap>(
      target: HTMLElement,
      kind: Kind,
      handle: (event: HTMLElementEventMap[Kind]) => void,
      options?: AddEventListenerOptions,
    ) => {
      target.addEventListener(kind, handle, options);
      this.releases.push(() => target.removeEventListener(kind, handle, options));
    };
    on(scroller, "wheel", event => this.wheel(event), { passive: false });
    on(scroller, "scroll", () => this.surface.invalidate());
    on(scroller, "keydown", event => this.key(event));
    on(canvas, "pointerdown", event => this.press(event));
    on(canvas, "pointermove", event => this.hover(event));
    on(canvas, "pointerleave", () => this.hoverOn(-1, 0, 0, 0));
    on(canvas, "dblclick", event => {
      if (this.layerAt(event) >= 0) this.showSelection();
    });
    this.releases.push(
      watchTheme(this.element, () => this.flush()),
      derived.store.watch((_, changed) => {
        if (changed.has("range")) this.range = this.sharedRange();
        if (changed.has("selected")) this.reveal();
        this.resize();
        this.surface.invalidate();
        this.overview.invalidate();
      }),
    );
  }

  private themeNow(): Theme {
    this.theme ??= readTheme(this.element);
    return this.theme;
  }

  private sharedRange(): Range {
    const { whole } = this.derived.profile;
    const range = this.derived.store.get().range;
    return range ? within({ from: range[0], to: range[1] }, whole) : whole;
  }

  private place(): Place {
    const { width, height } = this.surface;
    const isLanes = this.derived.store.get().layout === "lanes";
    const wide = width >= NARROW;
    return {
      width,
      height,
      top: isLanes ? 0 : this.scroller.scrollTop,
      gutter: wide ? (isLanes ? 64 : 200) : isLanes ? 52 : 96,
    };
  }

  /** Lanes are as high as they need, rows scroll behind a canvas that stays. */
  private resize(): void {
    const { layout } = this.derived.store.get();
    const isLanes = layout === "lanes";
    const rows = this.derived.order().length;
    const height = isLanes ? lanesHeight(this.derived.profile) : RULER + ROW * Math.min(rows, ROWS_SEEN);
    setHeight(this.canvas, height);
    this.scroller.style.maxHeight = `${height + 2}px`;
    // Pages end at some height that a million rows would exceed.
    setHeight(this.spacer, isLanes ? 0 : Math.min(TALLEST, Math.max(0, (rows - ROWS_SEEN) * ROW)));
  }

  private paint(surface: Surface): void {
    const { context } = surface;
    const scene = {
      context,
      theme: this.themeNow(),
      derived: this.derived,
      range: this.range,
      place: this.place(),
      hovered: this.hovered,
    };
    paint(scene, this.memory);
  }

  private move(range: Range, now = false): void {
    this.range = range;
    this.surface.invalidate();
    this.overview.invalidate();
    clearTimeout(this.settling);
    const settle = () => {
      const { whole } = this.derived.profile;
      const isWhole = range.from <= whole.from && range.to >= whole.to;
      this.derived.store.set({ range: isWhole ? null : [Math.floor(range.from), Math.ceil(range.to)] }, this);
    };
    if (now) settle();
    else this.settling = setTimeout(settle, SETTLE) as unknown as number;
  }

  private wheel(event: WheelEvent): void {
    if (this.derived.store.get().layout === "sorted") return;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    const { whole } = this.derived.profile;
    if (event.ctrlKey || event.metaKey) {
      this.move(zoomed(this.range, 1.0015 ** event.deltaY, this.cycleAt(event), whole));
    } else if (sideways && Math.abs(sideways) >= Math.abs(event.shiftKey ? 0 : event.deltaY)) {
      this.move(panned(this.range, sideways / Math.max(1, this.surface.width), whole));
    } else return;
    event.preventDefault();
  }

  private cycleAt(event: MouseEvent): number {
    const place = this.place();
    const scale = scaleOf(this.range, place.width - place.gutter);
    return toCycle(scale, event.clientX - this.canvas.getBoundingClientRect().left - place.gutter);
  }

  /** The layer under the pointer; -1 where there is none. */
  private layerAt(event: MouseEvent): number {
    const box = this.canvas.getBoundingClientRect();
    const y = event.clientY - box.top;
    this.merged = 1;
    if (this.derived.store.get().layout !== "lanes") {
      const at = Math.floor((y - RULER + this.scroller.scrollTop) / ROW);
      return y < RULER ? -1 : (this.derived.order()[at] ?? -1);
    }
    const cycle = this.cycleAt(event);
    const reach = (3 * (this.range.to - this.range.from)) / Math.max(1, box.width);
    const strip = stripsOf(this.derived.profile).find(found => y >= found.top && y < found.top + found.height);
    if (!strip || event.clientX - box.left < this.place().gutter) return -1;
    const index = intervalAt(strip.row, cycle, reach, this.derived.painted());
    if (index < 0) return -1;
    this.merged = sharing(strip.row, index, this.range.from, 3 / reach);
    return strip.row.layer[index] as number;
  }

  private press(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.scroller.focus({ preventScroll: true });
    const isRuler = event.clientY - this.canvas.getBoundingClientRect().top < RULER;
    const start = { x: event.clientX, cycle: this.cycleAt(event), range: this.range };
    const isFixed = this.derived.store.get().layout === "sorted";
    let dragged = false;
    const drag = (moved: PointerEvent) => {
      if (Math.abs(moved.clientX - start.x) > 4) dragged = true;
      if (!dragged || isFixed || isRuler) return;
      const share = (start.x - moved.clientX) / Math.max(1, this.surface.width - this.place().gutter);
      this.move(panned(start.range, share, this.derived.profile.whole));
    };
    const drop = (moved: PointerEvent) => {
      this.canvas.removeEventListener("pointermove", drag);
      this.canvas.removeEventListener("pointerup", drop);
      this.canvas.removeEventListener("pointercancel", drop);
      if (moved.type === "pointercancel") return;
      if (dragged && isRuler && !isFixed) this.pickRange(start.cycle, this.cycleAt(moved));
      if (!dragged) this.pick(this.layerAt(moved), moved.ctrlKey || moved.metaKey || moved.shiftKey);
    };
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.addEventListener("pointermove", drag);
    this.canvas.addEventListener("pointerup", drop);
    this.canvas.addEventListener("pointercancel", drop);
  }

  private pickRange(one: number, other: number): void {
    this.move(within({ from: Math.min(one, other), to: Math.max(one, other) }, this.derived.profile.whole), true);
  }

  private pick(layer: number, isAdding: boolean): void {
    const { store, profile } = this.derived;
    if (layer < 0) {
      store.set({ selected: [] }, this);
      return;
    }
    this.active = layer;
    const id = profile.ids[layer] as number;
    const { selected } = store.get();
    const others = selected.filter(known => known !== id);
    if (isAdding) store.set({ selected: others.length < selected.length ? others : [...selected, id] }, this);
    else store.set({ selected: [id] }, this);
  }

  private hover(event: PointerEvent): void {
    if (event.buttons) return;
    const box = this.element.getBoundingClientRect();
    const layer = this.layerAt(event);
    this.hoverOn(layer, event.clientX - box.left, event.clientY - box.top, box.width);
  }

  private hoverOn(layer: number, x: number, y: number, width: number): void {
    if (layer !== this.hovered) {
      this.hovered = layer;
      this.surface.invalidate();
    }
    this.tip.hidden = layer < 0;
    if (layer < 0) return;
    this.tip.textContent = this.sentence(layer, this.merged);
    const right = x > width / 2;
    this.tip.style.left = right ? "auto" : `${x + 14}px`;
    this.tip.style.right = right ? `${width - x + 14}px` : "auto";
    this.tip.style.top = `${y + 16}px`;
  }

  /** What a bar says: name, cycles, kind; and how many bars it stands for where it was merged. */
  private sentence(layer: number, merged: number): string {
    const { profile, store, grouping, words } = this.derived;
    const cycles = spoken(profile.cycles[layer] as number, store.get().unit, profile.clockMhz, profile.total, words);
    const group = grouping().labels[grouping().ofLayer[layer] as number]?.label ?? "";
    const more =
      merged > 1 ? `; ${words.__("longest of %1 in this pixel, zoom to tell them apart", count(merged))}` : "";
    return `${visible((profile.layers.get(layer, "name") ?? "").slice(0, 200))}: ${cycles}, ${group}${more}`;
  }

  private key(event: KeyboardEvent): void {
    const move = axisMove(event);
    if (!move) return;
    event.preventDefault();
    const { whole } = this.derived.profile;
    if (move === "closer" || move === "further" || move === "all") this.zoom(move);
    else if (move === "left" || move === "right")
      this.move(panned(this.range, move === "left" ? -0.25 : 0.25, whole), true);
    else if (move === "clear") {
      this.hoverOn(-1, 0, 0, 0);
      this.derived.store.set({ selected: [] }, this);
    } else this.step(move);
  }

  private step(move: "previous" | "next" | "first" | "last" | "up" | "down"): void {
    const order = this.derived.order();
    if (!order.length) return;
    const here = order.indexOf(this.derived.chosen().at(-1) ?? this.active);
    const back = move === "previous" || move === "up";
    const next = move === "first" ? 0 : move === "last" ? order.length - 1 : back ? here - 1 : here + 1;
    const layer = order[Math.min(order.length - 1, Math.max(0, here < 0 ? 0 : next))] as number;
    this.pick(layer, false);
    this.announce(this.sentence(layer, 1));
  }

  private showSelection(): void {
    const { profile } = this.derived;
    const chosen = this.derived.chosen();
    if (!chosen.length) return;
    const from = Math.min(...chosen.map(layer => profile.start[layer] as number));
    const to = Math.max(...chosen.map(layer => profile.end[layer] as number));
    if (!(to > from)) return;
    const margin = Math.max((to - from) * 0.15, 4);
    this.move(within({ from: from - margin, to: to + margin }, profile.whole), true);
  }

  /** Brings what is selected into view: along the axis, or along the rows. */
  private reveal(): void {
    const layer = this.derived.chosen().at(-1);
    if (layer === undefined) return;
    const { profile, store } = this.derived;
    if (store.get().layout !== "lanes") {
      const at = this.derived.order().indexOf(layer);
      const top = at * ROW;
      const seen = this.surface.height - RULER;
      if (at < 0) return;
      if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
      else if (top + ROW > this.scroller.scrollTop + seen) this.scroller.scrollTop = top + ROW - seen;
      return;
    }
    const [from, to] = [profile.start[layer] as number, profile.end[layer] as number];
    if (to < this.range.from || from > this.range.to) this.move(revealing(this.range, from, to, profile.whole), true);
  }
}
