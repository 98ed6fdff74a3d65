import assert from "node:assert/strict";
import { test } from "node:test";
import { densityOf } from "../src/model/density.ts";
import { groupsOf, membersOf, sizeOf } from "../src/model/grouping.ts";
import { trackOf } from "../src/model/track.ts";

test("a pixel's density is its busy share", () => {
  const track = trackOf({
    start: Float64Array.from([0, 15]),
    end: Float64Array.from([10, 20]),
    layer: Int32Array.from([0, 1]),
  });
  assert.deepEqual([...densityOf(track, { from: 0, to: 40 }, 4, new Uint8Array(0))], [1, 0.5, 0, 0]);
  assert.deepEqual([...densityOf(track, { from: 0, to: 40 }, 4, Uint8Array.from([0, 1]))], [0, 0.5, 0, 0]);
});

test("groups list the members of each layer in order; intervals of no layer belong to none", () => {
  const groups = groupsOf(Int32Array.from([2, 0, 2, -1, 0]), 3);
  assert.deepEqual([...membersOf(groups, 0)], [1, 4]);
  assert.deepEqual([...membersOf(groups, 1)], []);
  assert.deepEqual([...membersOf(groups, 2)], [0, 2]);
  assert.equal(sizeOf(groups, 2), 2);
});
