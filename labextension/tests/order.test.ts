import assert from "node:assert/strict";
import { test } from "node:test";
import { byNumber, byText, kept } from "../src/model/order.ts";

test("numbers sort both ways, equal ones keep their order", () => {
  const values = Float64Array.from([5, 1, 5, 9, 1]);
  assert.deepEqual([...byNumber(values)], [1, 4, 0, 2, 3]);
  assert.deepEqual([...byNumber(values, true)], [3, 0, 2, 1, 4]);
});

test("numbers too large to share a word with their index sort the same way", () => {
  const values = Float64Array.from([2 ** 52, 0.5, 2 ** 52, -3, Number.NaN]);
  assert.deepEqual([...byNumber(values)], [3, 1, 0, 2, 4]);
  assert.deepEqual([...byNumber(values, true)], [0, 2, 1, 3, 4], "not known stays last");
});

test("both ways of sorting agree on random columns", () => {
  const values = Float64Array.from({ length: 500 }, (_, i) => (i * 48_271) % 101);
  const plain = [...values.keys()].sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
  assert.deepEqual([...byNumber(values, true)], plain);
});

test("names sort as people count", () => {
  assert.deepEqual([...byText(["conv_10", "conv_9", "add_1"])], [2, 1, 0]);
});

test("a filter keeps the order", () => {
  assert.deepEqual([...kept(Uint32Array.from([3, 1, 0, 2]), Uint8Array.from([1, 0, 1, 1]))], [3, 0, 2]);
});
