import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import {
  amount,
  axisFormat,
  change,
  count,
  duration,
  percent,
  points,
  shortCount,
  shortRate,
  signed,
  size,
  spoken,
} from "../src/model/units.ts";
import { ENGLISH } from "../src/model/words.ts";

type Case = [name: string, given: (number | null)[], text: string];

const CASES = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../../tests/view/units_cases.json"), "utf-8"),
) as Case[];
const FUNCTIONS: Record<string, (...given: (number | null)[]) => string> = {
  count: value => count(value ?? 0),
  size: value => size(value ?? 0),
  duration: (cycles, clock) => duration(cycles ?? 0, clock ?? 0),
  percent: value => percent(value ?? 0),
  short_rate: value => shortRate(value ?? 0),
  short_count: value => shortCount(value ?? 0),
  signed: value => signed(value ?? 0),
  change: (before = null, after = null) => change(before, after),
  points: (before = null, after = null) => points(before, after),
};

test("numbers are written as Python writes them, in every case that both languages are held to", () => {
  let tried = 0;
  for (const [name, given, text] of CASES) {
    const write = FUNCTIONS[name];
    if (!write) continue;
    assert.equal(write(...given), text, `${name}(${given})`);
    tried++;
  }
  assert.ok(tried >= 55, `${tried}`);
});

test("cycles in each unit", () => {
  assert.equal(amount(7944, "cycles", 1000, 100_000), "7,944");
  assert.equal(amount(7944, "time", 1000, 100_000), "7.94 µs");
  assert.equal(amount(7944, "share", 1000, 100_000), "7.9 %");
  assert.equal(amount(7944, "share", 1000, 0), "0.0 %");
  assert.equal(spoken(7944, "cycles", 1000, 1, ENGLISH), "7,944 cycles");
});

test("an axis has one unit, and neighbouring ticks differ", () => {
  for (const unit of ["cycles", "time", "share"] as const) {
    for (const step of [1, 5, 200, 50_000, 2_000_000]) {
      const format = axisFormat(unit, 1000, 1e7, step, 10 * step);
      const labels = [1, 2, 3, 4].map(at => format(at * step));
      assert.equal(new Set(labels).size, 4, `${unit} ${step}: ${labels}`);
    }
  }
});
