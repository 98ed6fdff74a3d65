/**
 * Numbers as people read them, in the same words and with the same rounding as `sima_compiler.view.units`: a test gives
 * both the same numbers and compares.
 */
import type { Words } from "./words.ts";

export type Unit = "cycles" | "time" | "share";

/** Half goes to the even neighbour, as in Python. */
function whole(value: number): string {
  const floor = Math.floor(value);
  const isHalf = value - floor === 0.5;
  return (isHalf ? floor + (floor % 2) : Math.round(value)).toFixed(0);
}

export function count(value: number): string {
  return whole(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

const SIZES = ["bytes", "KiB", "MiB", "GiB", "TiB"];
/** From here on one decimal would say 1024.0. */
const ROUNDS_UP = 1023.95;

export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} byte${bytes === 1 ? "" : "s"}`;
  let value = bytes / 1024;
  let unit = 1;
  while (value >= ROUNDS_UP && unit < SIZES.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(1)} ${SIZES[unit]}`;
}

export function duration(cycles: number, clockMhz: number): string {
  const us = cycles / clockMhz;
  for (const [limit, factor, unit] of [
    [1000, 1, "\u00b5s"],
    [1_000_000, 1000, "ms"],
  ] as const) {
    if (Number((us / factor).toFixed(2)) < 1000 && us < limit) return `${(us / factor).toFixed(2)} ${unit}`;
  }
  return `${(us / 1_000_000).toFixed(2)} s`;
}

export function shortRate(value: number): string {
  if (value >= 99.95) return count(value);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A change with its sign: `+1,234`, `0`. */
export function signed(change: number): string {
  return whole(Math.abs(change)) === "0" ? "0" : `${sign(change)}${count(Math.abs(change))}`;
}

/** A change as a share of what was: `+5.1 %`; empty where that says nothing. */
export function change(before: number | null, after: number | null): string {
  if (!before || after === null || after === before) return "";
  return `${sign(after - before)}${percent(Math.abs(after - before) / before)}`;
}

/** The change of a share, `+1.2 points`: a percentage of a percentage misleads. */
export function points(before: number | null, after: number | null): string {
  if (before === null || after === null || after === before) return "";
  return `${sign(after - before)}${Math.abs(100 * (after - before)).toFixed(1)} points`;
}

function sign(change: number): string {
  return change > 0 ? "+" : "\u2212";
}

export function shortCount(value: number): string {
  for (const [limit, unit] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    if (value >= limit) return (value / limit).toFixed(2).replace(/\.?0+$/, "") + unit;
  }
  return whole(value);
}

/** Cycles in the unit that is chosen: `7,944`, `7.94 µs`, `2.4 %`. */
export function amount(cycles: number, unit: Unit, clockMhz: number, whole: number): string {
  if (unit === "time") return duration(cycles, clockMhz);
  if (unit === "share") return percent(whole ? cycles / whole : 0);
  return count(cycles);
}

/** Cycles with the unit said: `7,944 cycles`, `7.94 µs`, `2.4 %`. */
export function spoken(cycles: number, unit: Unit, clockMhz: number, whole: number, words: Words): string {
  const text = amount(cycles, unit, clockMhz, whole);
  return unit === "cycles" ? words.__("%1 cycles", text) : text;
}

/**
 * Labels of an axis whose ticks are `step` cycles apart: as many digits as tell two neighbours apart, and one unit for
 * the whole axis.
 */
export function axisFormat(
  unit: Unit,
  clockMhz: number,
  whole: number,
  step: number,
  most: number,
): (cycles: number) => string {
  if (unit === "cycles") return step >= 1000 ? thousands(step, most) : value => count(value);
  if (unit === "share") {
    const digits = places((100 * step) / Math.max(whole, 1));
    return value => `${((100 * value) / Math.max(whole, 1)).toFixed(digits)} %`;
  }
  const largest = most / clockMhz;
  const [divide, name] = largest < 1000 ? [1, "\u00b5s"] : largest < 1e6 ? [1e3, "ms"] : [1e6, "s"];
  const digits = places(step / clockMhz / divide);
  return value => `${(value / clockMhz / divide).toFixed(digits)} ${name}`;
}

function thousands(step: number, most: number): (cycles: number) => string {
  const [divide, name] = most >= 1e9 && step >= 1e6 ? [1e9, "G"] : most >= 1e6 && step >= 1e3 ? [1e6, "M"] : [1e3, "k"];
  const digits = places(step / divide);
  return value => (value ? `${(value / divide).toFixed(digits)}${name}` : "0");
}

function places(step: number): number {
  return Math.min(6, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
}
