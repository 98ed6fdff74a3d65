import assert from "node:assert/strict";
import { test } from "node:test";
import {
  NARROWEST,
  panned,
  revealing,
  scaleOf,
  tickStep,
  ticks,
  toCycle,
  toPixel,
  within,
  zoomed,
} from "../src/model/scale.ts";

const WHOLE = { from: 0, to: 1000 };

test("pixels and cycles are each other's inverse", () => {
  const scale = scaleOf({ from: 100, to: 300 }, 400);
  assert.equal(toPixel(scale, 100), 0);
  assert.equal(toPixel(scale, 300), 400);
  for (const cycle of [100, 123, 299.5]) assert.ok(Math.abs(toCycle(scale, toPixel(scale, cycle)) - cycle) < 1e-9);
});

test("zooming keeps what is under the pointer in its place", () => {
  const range = zoomed({ from: 200, to: 600 }, 0.5, 300, WHOLE);
  assert.equal(range.to - range.from, 200);
  assert.equal((300 - range.from) / 200, (300 - 200) / 400);
});

test("zooming and panning stay within the whole, and closer than eight cycles nobody gets", () => {
  assert.deepEqual(zoomed({ from: 0, to: 900 }, 4, 10, WHOLE), WHOLE);
  assert.equal(
    zoomed({ from: 10, to: 20 }, 0.001, 15, WHOLE).to - zoomed({ from: 10, to: 20 }, 0.001, 15, WHOLE).from,
    NARROWEST,
  );
  assert.deepEqual(panned({ from: 0, to: 100 }, -0.5, WHOLE), { from: 0, to: 100 });
  assert.deepEqual(panned({ from: 900, to: 1000 }, 0.5, WHOLE), { from: 900, to: 1000 });
  assert.deepEqual(within({ from: -50, to: 2000 }, WHOLE), WHOLE);
});

test("a file of three cycles can be seen whole", () => {
  assert.deepEqual(within({ from: 0, to: 3 }, { from: 0, to: 3 }), { from: 0, to: 3 });
});

test("revealing moves no more than it must", () => {
  assert.deepEqual(revealing({ from: 100, to: 200 }, 120, 150, WHOLE), { from: 100, to: 200 });
  const right = revealing({ from: 100, to: 200 }, 210, 220, WHOLE);
  assert.equal(right.to - right.from, 100);
  assert.ok(right.from <= 210 && right.to >= 220);
  const wide = revealing({ from: 100, to: 200 }, 300, 700, WHOLE);
  assert.ok(wide.from <= 300 && wide.to >= 700);
});

test("ticks are round, inside the range and not too many", () => {
  assert.deepEqual(ticks({ from: 0, to: 1000 }, 5), [0, 200, 400, 600, 800]);
  assert.deepEqual(ticks({ from: 150, to: 450 }, 3), [200, 300, 400]);
  for (const span of [7, 33, 999, 123_456, 9e12]) {
    const found = ticks({ from: 13, to: 13 + span }, 6);
    assert.ok(found.length >= 2 && found.length <= 7, `${span}: ${found.length}`);
    assert.ok(found.every(tick => tick >= 13 && tick < 13 + span));
  }
  assert.deepEqual(ticks({ from: 5, to: 5 }, 6), []);
  assert.equal(tickStep(0.3), 0.5);
});
