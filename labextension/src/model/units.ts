/**
 * Numbers as people read them, in the same words and with the same rounding as `sima_compiler.view.units`: a test gives
 * both the same numbers and compares.
 */

export type Unit = "cycles" | "time" | "share";

/** Half goes to the even neighbour, as in Python. */
function rounded(value: number, digits: number): string {
  const factor = 10 ** digits;
  const scaled = value * factor;
  const floor = Math.floor(scaled);
  const isHalf = scaled - floor === 0.5 && Math.abs(scaled) < 2 ** 50;
  const whole = isHalf && digits === 0 ? (floor % 2 === 0 ? floor : floor + 1) : null;
  return (whole ?? value).toFixed(digits);
}

export function count(value: number): string {
  return rounded(value, 0).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  let scaled = bytes / 1024;
  let unit = "KiB";
  for (const larger of ["MiB", "GiB"]) {
    if (scaled < 1024) break;
    scaled /= 1024;
    unit = larger;
  }
  return `${scaled.toFixed(1)} ${unit}`;
}

export function duration(cycles: number, clockMhz: number): string {
  const us = cycles / clockMhz;
  if (us < 1000) return `${us.toFixed(2)} \u00b5s`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(2)} ms`;
  return `${(us / 1_000_000).toFixed(2)} s`;
}

export function shortRate(value: number): string {
  if (value >= 100) return count(value);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function shortCount(value: number): string {
  for (const [limit, unit] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    if (value >= limit) return (value / limit).toFixed(2).replace(/\.?0+$/, "") + unit;
  }
  return rounded(value, 0);
}

/** Cycles in the unit that is chosen: `7,944`, `7.94 µs`, `2.4 %`. */
export function amount(cycles: number, unit: Unit, clockMhz: number, whole: number): string {
  if (unit === "time") return duration(cycles, clockMhz);
  if (unit === "share") return percent(whole ? cycles / whole : 0);
  return count(cycles);
}

/** Cycles with the unit said: `7,944 cycles`, `7.94 µs`, `2.4 % of the run`. */
export function spoken(cycles: number, unit: Unit, clockMhz: number, whole: number): string {
  const text = amount(cycles, unit, clockMhz, whole);
  return unit === "cycles" ? `${text} cycles` : text;
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
