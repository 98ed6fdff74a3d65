import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { type CompareRow, fileCells, overThreshold, type Total, totalCells } from "../src/model/comparison.ts";
import { ENGLISH } from "../src/model/words.ts";

interface Sides {
  readonly before: number | null;
  readonly after: number | null;
}
interface Cases {
  readonly over: readonly (Sides & { percent: number; shown: boolean })[];
  readonly totals: readonly (Sides & { unit: Total["unit"]; cells: string[] })[];
  readonly files: readonly (Sides & { cells: string[] })[];
}

/** Python compares by the same rules and is held to the same cases. */
const CASES = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../../tests/view/comparison_cases.json"), "utf-8"),
) as Cases;

test("a layer is shown where it changed by more than a share of what it was", () => {
  for (const { percent, before, after, shown } of CASES.over) {
    const change = (after ?? 0) - (before ?? 0);
    const what = before === null ? "added" : after === null ? "gone" : change ? "changed" : "same";
    const row: CompareRow = { pair: [0, 0], name: "a", other: "", kind: null, before, after, change, what };
    assert.equal(overThreshold([row], percent).length === 1, shown, `${percent} % of ${before} and ${after}`);
  }
});

test("totals and files are written as Python writes them", () => {
  for (const { cells, ...total } of CASES.totals) {
    assert.deepEqual(totalCells({ name: "x", label: "x", ...total }), cells);
  }
  for (const { cells, ...file } of CASES.files) assert.deepEqual(fileCells({ name: "x", ...file }, ENGLISH), cells);
});
