import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import type { BatchCandidate } from "../src/contract.ts";
import { folded } from "../src/model/candidates.ts";

interface Case {
  readonly name: string;
  readonly actual: number | null;
  readonly rows: readonly Partial<BatchCandidate>[];
  readonly folded: readonly string[];
}

/** Python folds by the same rule and is held to the same cases. */
const CASES = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../../tests/view/folding_cases.json"), "utf-8"),
) as Case[];
const PLAIN = { feasible: false, status: "does_not_fit", reason: "", limiting_layer: "a" };

for (const { name, actual, rows, folded: wanted } of CASES) {
  test(`folding: ${name}`, () => {
    const candidates = rows.map(row => ({ ...PLAIN, ...row }) as BatchCandidate);
    const found = folded(candidates, actual).map(({ first, last, verdict }) =>
      first === last ? `${first.batch_size}: ${verdict}` : `${first.batch_size} to ${last.batch_size}: ${verdict}`,
    );
    assert.deepEqual(found, wanted);
  });
}
