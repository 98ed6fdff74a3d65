import assert from "node:assert/strict";
import { test } from "node:test";
import { type Filterable, type LayerFilter, matches, shownOf, thresholds, wordsOf } from "../src/model/filter.ts";

const NAMES = ["conv2d_0 convolution stem", "add_1 elementwise residual", "conv2d_2 convolution head"];
const LAYERS: Filterable = {
  size: 3,
  cycles: Float64Array.from([100, 5, 50]),
  start: Float64Array.from([0, 100, 105]),
  end: Float64Array.from([100, 105, 155]),
  group: Uint8Array.from([0, 1, 0]),
  text: index => NAMES[index] ?? "",
};
const ALL: LayerFilter = {
  words: [],
  least: 0,
  range: null,
  hidden: new Uint8Array(8),
};

function shown(patch: Partial<LayerFilter>): number[] {
  const { mask } = shownOf(LAYERS, { ...ALL, ...patch });
  return [...mask.keys()].filter(index => mask[index]);
}

test("words are found in any case, all of them, and can be excluded", () => {
  assert.deepEqual(wordsOf('Conv "a b" -head'), [
    { text: "conv", negated: false },
    { text: "a b", negated: false },
    { text: "head", negated: true },
  ]);
  assert.deepEqual(shown({ words: wordsOf("CONV") }), [0, 2]);
  assert.deepEqual(shown({ words: wordsOf("conv -head") }), [0]);
  assert.deepEqual(shown({ words: wordsOf("conv residual") }), []);
  assert.equal(matches("a b", wordsOf('"a b')), true, "a quotation mark that is still open");
});

test("fewest cycles, range and legend each take away, and together", () => {
  assert.deepEqual(shown({ least: 50 }), [0, 2]);
  assert.deepEqual(shown({ range: [101, 104] }), [1]);
  assert.deepEqual(shown({ hidden: Uint8Array.from([1, 0]) }), [1]);
  assert.deepEqual(shown({ least: 50, hidden: Uint8Array.from([1, 0]) }), []);
});

test("count and cycles are those of the rows that are left", () => {
  const found = shownOf(LAYERS, { ...ALL, least: 50 });
  assert.equal(found.count, 2);
  assert.equal(found.cycles, 150);
});

test("the slider starts at all, ends at the largest and rises", () => {
  const steps = thresholds([3, 900, 123_456]);
  assert.equal(steps[0], 0);
  assert.ok((steps.at(-1) ?? 0) <= 123_456 && (steps.at(-1) ?? 0) >= 100_000);
  assert.ok(steps.every((step, i) => i === 0 || step > (steps[i - 1] ?? 0)));
  assert.deepEqual(thresholds([]), [0]);
});
