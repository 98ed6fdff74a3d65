import assert from "node:assert/strict";
import { test } from "node:test";
import type { BatchCandidate } from "../src/contract.ts";
import { folded } from "../src/model/candidates.ts";

function row(batch_size: number, patch: Partial<BatchCandidate> = {}): BatchCandidate {
  return {
    batch_size,
    feasible: false,
    status: "does_not_fit",
    reason: `needs ${batch_size} MiB`,
    limiting_layer: "a",
    ...patch,
  } as BatchCandidate;
}

function ranges(rows: readonly BatchCandidate[], actual: number | null = 4): string[] {
  return folded(rows, actual).map(({ first, last, verdict }) => `${first.batch_size}-${last.batch_size} ${verdict}`);
}

test("rows that differ in nothing but numbers are one, in any order they come", () => {
  assert.deepEqual(ranges([row(7), row(5), row(6)]), ["5-7 does not fit"]);
});

test("a gap, another layer, another reason and the built size part rows", () => {
  assert.deepEqual(ranges([row(5), row(7)]), ["5-5 does not fit", "7-7 does not fit"]);
  assert.equal(ranges([row(5), row(6, { limiting_layer: "b" })]).length, 2);
  assert.equal(ranges([row(5), row(6, { reason: "spills" })]).length, 2);
  assert.deepEqual(ranges([row(3), row(4), row(5)]), ["3-3 does not fit", "4-4 built", "5-5 does not fit"]);
});

test("what was scheduled stands alone, what was estimated between folds", () => {
  const feasible = { feasible: true, reason: "between 4 and 8" };
  assert.equal(
    ranges([row(5, { ...feasible, status: "scheduled" }), row(6, { ...feasible, status: "scheduled" })]).length,
    2,
  );
  assert.deepEqual(
    ranges([row(5, { ...feasible, status: "estimated" }), row(6, { ...feasible, status: "estimated" })]),
    ["5-6 feasible"],
  );
});
