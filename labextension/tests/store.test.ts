import assert from "node:assert/strict";
import { test } from "node:test";
import { createStore, same } from "../src/model/store.ts";

test("a change reaches every listener once, with what changed and who did it", () => {
  const store = createStore({ selected: [1], unit: "cycles" });
  const seen: unknown[] = [];
  store.watch((state, changed, origin) => seen.push([state.selected, [...changed], origin]));
  store.set({ selected: [2], unit: "cycles" }, "table");
  assert.deepEqual(seen, [[[2], ["selected"], "table"]]);
});

test("what is already so tells nobody: an echo from the kernel ends there", () => {
  const store = createStore<{ selected: number[]; range: number[] | null }>({
    selected: [1, 2],
    range: null,
  });
  let calls = 0;
  store.watch(() => calls++);
  store.set({ selected: [1, 2] });
  store.set({ range: [0, 5] });
  store.set({ range: [0, 5] });
  assert.equal(calls, 1);
});

test("a listener that ended hears nothing", () => {
  const store = createStore({ a: 1 });
  let calls = 0;
  const end = store.watch(() => calls++);
  end();
  store.set({ a: 2 });
  store.watch(() => calls++);
  store.clear();
  store.set({ a: 3 });
  assert.equal(calls, 0);
});

test("equality by content", () => {
  assert.equal(same({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }), true);
  assert.equal(same([1], [1, 2]), false);
  assert.equal(same(null, {}), false);
  assert.equal(same(Number.NaN, Number.NaN), true);
});
