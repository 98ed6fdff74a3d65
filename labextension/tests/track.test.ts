import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Bars,
  type Columns,
  emptyBars,
  fillBars,
  intervalAt,
  MOST_ROWS,
  shadesOf,
  trackOf,
} from "../src/model/track.ts";

const ALL = new Uint8Array(0);

function columns(intervals: readonly (readonly [number, number, number?])[]): Columns {
  return {
    start: Float64Array.from(intervals, at => at[0]),
    end: Float64Array.from(intervals, at => at[1]),
    layer: Int32Array.from(intervals, (at, index) => at[2] ?? index),
  };
}

function bars(of: Columns, from: number, to: number, width: number, categories: number[] = [], mask = ALL): Bars[] {
  return trackOf(of).rows.map(row => {
    const shades = shadesOf(row, Uint8Array.from(categories), 4, mask);
    const found = emptyBars(2);
    fillBars({ row, shades, from, factor: width / (to - from), width, mask }, found);
    return found;
  });
}

test("bars wider than a pixel are painted one by one, at whole pixels", () => {
  const [found] = bars(
    columns([
      [0, 10],
      [10, 30],
      [40, 100],
    ]),
    0,
    100,
    50,
  );
  assert.ok(found);
  assert.equal(found.length, 3);
  assert.deepEqual([...found.left.slice(0, 3)], [0, 5, 20]);
  assert.deepEqual([...found.right.slice(0, 3)], [5, 15, 50]);
  assert.deepEqual([...found.count.slice(0, 3)], [1, 1, 1]);
});

test("bars below one pixel merge and say how many they are; none is lost", () => {
  const many = columns(Array.from({ length: 10_000 }, (_, i) => [i, i + 1] as const));
  const [found] = bars(many, 0, 10_000, 100);
  assert.ok(found);
  assert.equal(found.length, 100);
  let sum = 0;
  for (let i = 0; i < found.length; i++) sum += found.count[i] as number;
  assert.equal(sum, 10_000);
});

test("a million intervals fill at most one bar per pixel", () => {
  const size = 1_000_000;
  const start = Float64Array.from({ length: size }, (_, i) => 3 * i);
  const of = { start, end: start.map(at => at + 2), layer: Int32Array.from(start, (_, i) => i) };
  const [found] = bars(of, 0, 3 * size, 1200);
  assert.ok(found);
  assert.ok(found.length <= 1200, `${found.length}`);
  let sum = 0;
  for (let i = 0; i < found.length; i++) sum += found.count[i] as number;
  assert.equal(sum, size);
});

test("a merged bar has the colour of what takes most of its cycles, not of what comes most often", () => {
  const of = columns([
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 9],
  ]);
  const [found] = bars(of, 0, 1000, 100, [1, 1, 1, 2]);
  assert.ok(found);
  assert.equal(found.length, 1);
  assert.equal(found.category[0], 2);
  assert.equal(found.count[0], 4);
  assert.equal(found.index[0], 3, "and names the longest");
});

test("the colour of a pixel of thousands agrees with a plain sum", () => {
  const size = 5000;
  const lengths = Array.from({ length: size }, (_, i) => 1 + ((i * 7919) % 13));
  const kinds = Array.from({ length: size }, (_, i) => (i * 104_729) % 3);
  const ends = lengths.map((_, i) => lengths.slice(0, i + 1).reduce((sum, length) => sum + length, 0));
  const of = columns(ends.map((end, i) => [end - (lengths[i] ?? 0), end] as const));
  const at = ends.at(-1) ?? 0;
  const [found] = bars(of, 0, at, 7, kinds);
  assert.ok(found);
  for (let bar = 0; bar < found.length; bar++) {
    const sums = [0, 0, 0, 0];
    lengths.forEach((length, i) => {
      const pixel = Math.floor(((of.start[i] as number) / at) * 7);
      if (pixel === found.left[bar]) sums[kinds[i] as number] = (sums[kinds[i] as number] ?? 0) + length;
    });
    assert.equal(found.category[bar], sums.indexOf(Math.max(...sums)), `pixel ${found.left[bar]}`);
  }
});

test("hidden layers leave no bar and count for nothing", () => {
  const of = columns([
    [0, 50],
    [50, 51],
    [51, 52],
    [60, 90],
  ]);
  const [found] = bars(of, 0, 100, 10, [], Uint8Array.from([0, 1, 0, 1]));
  assert.ok(found);
  assert.deepEqual([...found.index.slice(0, found.length)], [1, 3]);
  assert.deepEqual([...found.count.slice(0, found.length)], [1, 1]);
});

test("what lies left and right of the view is not painted, what crosses its edge is cut", () => {
  const [found] = bars(
    columns([
      [0, 10],
      [10, 45],
      [60, 90],
      [95, 99],
    ]),
    40,
    80,
    40,
  );
  assert.ok(found);
  assert.deepEqual([...found.left.slice(0, found.length)], [0, 20]);
  assert.deepEqual([...found.right.slice(0, found.length)], [5, 40]);
});

test("intervals that overlap lie in rows of their own, and gaps stay empty", () => {
  const track = trackOf(
    columns([
      [5, 8],
      [0, 10],
      [2, 6],
      [20, 30],
    ]),
  );
  assert.equal(track.rows.length, 3);
  for (const row of track.rows) {
    for (let i = 1; i < row.start.length; i++) assert.ok((row.start[i] as number) >= (row.end[i - 1] as number));
  }
  assert.equal(track.first, 0);
  assert.equal(track.last, 30);
  const layers = track.rows.flatMap(row => [...row.layer]).sort();
  assert.deepEqual(layers, [0, 1, 2, 3]);
});

test("a deep pile stays within the rows that a page has room for", () => {
  const track = trackOf(columns(Array.from({ length: 50 }, (_, i) => [i, 1000] as const)));
  assert.equal(track.rows.length, MOST_ROWS);
  assert.equal(
    track.rows.reduce((sum, row) => sum + row.start.length, 0),
    50,
  );
});

test("an interval of no length is painted and found", () => {
  const of = columns([
    [0, 10],
    [10, 10],
    [20, 30],
  ]);
  const [row] = trackOf(of).rows;
  assert.ok(row);
  assert.equal(intervalAt(row, 10, 0.5, ALL) >= 0, true);
  const [found] = bars(of, 5, 15, 100);
  assert.ok(found && found.length === 2);
});

test("the pointer finds what is under it, the nearest within reach, or nothing", () => {
  const [row] = trackOf(
    columns([
      [0, 10],
      [20, 30],
      [31, 40],
    ]),
  ).rows;
  assert.ok(row);
  assert.equal(intervalAt(row, 5, 0, ALL), 0);
  assert.equal(intervalAt(row, 15, 2, ALL), -1);
  assert.equal(intervalAt(row, 18.5, 2, ALL), 1);
  assert.equal(intervalAt(row, 30.9, 1, ALL), 2);
  assert.equal(intervalAt(row, 25, 1, Uint8Array.from([1, 0, 1])), -1);
});

test("no interval at all is no trouble", () => {
  const [found] = bars(columns([]), 0, 100, 50);
  assert.equal(found?.length ?? 0, 0);
});
