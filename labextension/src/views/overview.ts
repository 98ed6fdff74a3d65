/** The strip above the timeline: how busy the whole run is, and which part of it is seen. Dragging picks another part. */
import { densityOf } from "../model/density.ts";
import type { Derived } from "../model/explorer_state.ts";
import { type Range, scaleOf, toCycle, toPixel, within } from "../model/scale.ts";
import { element } from "./elements.ts";
import { type Surface, surfaceOn } from "./surface.ts";
import type { Theme } from "./theme.ts";

export interface OverviewWiring {
  readonly theme: () => Theme;
  readonly gutter: () => number;
  readonly range: () => Range;
  readonly choose: (range: Range) => void;
}

export interface Overview {
  readonly invalidate: () => void;
  readonly flush: () => void;
  readonly dispose: () => void;
}

export function overviewOn(canvas: HTMLCanvasElement, derived: Derived, wiring: OverviewWiring): Overview {
  const { profile } = derived;
  // Compute says most about a run; a statistics file has one lane only.
  const lane = profile.lanes.find(found => found.key === "compute") ?? profile.lanes[0];
  const backdrop = element("canvas");
  let drawn: readonly unknown[] = [];

  /** The strip without the frame around what is seen: painted only when what it shows has changed. */
  const backdropOf = (width: number, height: number, gutter: number): HTMLCanvasElement => {
    const mask = derived.painted();
    const theme = wiring.theme();
    const ratio = globalThis.devicePixelRatio || 1;
    const key = [mask, theme, width, height, gutter, ratio];
    if (key.every((part, at) => part === drawn[at])) return backdrop;
    drawn = key;
    backdrop.width = Math.round(width * ratio);
    backdrop.height = Math.round(height * ratio);
    const context = backdrop.getContext("2d", { alpha: false });
    if (!context) return backdrop;
    context.scale(ratio, ratio);
    context.fillStyle = theme.panel;
    context.fillRect(0, 0, width, height);
    context.fillStyle = theme.soft;
    const inner = Math.max(1, Math.floor(width - gutter));
    const busy = lane ? densityOf(lane.track, profile.whole, inner, mask) : new Float32Array(inner);
    for (let x = 0; x < inner; x++) {
      const bar = Math.round((busy[x] as number) * (height - 6));
      if (bar) context.fillRect(gutter + x, height - 2 - bar, 1, bar);
    }
    return backdrop;
  };

  const paint = ({ context, width, height }: Surface): void => {
    const theme = wiring.theme();
    const gutter = wiring.gutter();
    context.drawImage(backdropOf(width, height, gutter), 0, 0, width, height);
    const scale = scaleOf(profile.whole, Math.max(1, width - gutter));
    const range = wiring.range();
    const [left, right] = [gutter + toPixel(scale, range.from), gutter + toPixel(scale, range.to)];
    context.globalAlpha = 0.55;
    context.fillStyle = theme.paper;
    context.fillRect(0, 0, left, height + 1);
    context.fillRect(right, 0, width - right, height + 1);
    context.globalAlpha = 1;
    context.strokeStyle = theme.accent;
    context.lineWidth = 2;
    context.strokeRect(Math.round(left) + 1, 1, Math.max(2, Math.round(right - left) - 2), height - 2);
  };

  const surface = surfaceOn(canvas, paint);
  const cycleOf = (event: PointerEvent): number => {
    const gutter = wiring.gutter();
    const scale = scaleOf(profile.whole, Math.max(1, surface.width - gutter));
    return toCycle(scale, event.clientX - canvas.getBoundingClientRect().left - gutter);
  };

  const press = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    const start = cycleOf(event);
    const before = wiring.range();
    const span = before.to - before.from;
    const isWhole = span >= profile.whole.to - profile.whole.from;
    const grabs = !isWhole && start >= before.from && start <= before.to;
    canvas.setPointerCapture(event.pointerId);
    const drag = (moved: PointerEvent): void => {
      const now = cycleOf(moved);
      if (grabs) wiring.choose(within({ from: before.from + now - start, to: before.to + now - start }, profile.whole));
      else wiring.choose(within({ from: Math.min(start, now), to: Math.max(start, now) }, profile.whole));
    };
    const drop = (): void => {
      canvas.removeEventListener("pointermove", drag);
      canvas.removeEventListener("pointerup", drop);
      canvas.removeEventListener("pointercancel", drop);
    };
    if (!grabs && !isWhole) wiring.choose(within({ from: start - span / 2, to: start + span / 2 }, profile.whole));
    canvas.addEventListener("pointermove", drag);
    canvas.addEventListener("pointerup", drop);
    canvas.addEventListener("pointercancel", drop);
  };
  canvas.addEventListener("pointerdown", press);

  return {
    invalidate: surface.invalidate,
    flush: surface.flush,
    dispose: () => {
      canvas.removeEventListener("pointerdown", press);
      surface.dispose();
      backdrop.width = 0;
    },
  };
}
