import assert from "node:assert/strict";
import { test } from "node:test";
import { tableOf } from "../src/columns.ts";
import { bufferAt, peakOf } from "../src/model/memory.ts";
import { drawingOf } from "../src/model/pipeline.ts";
import { filesBelow, itemsOf, treeOf } from "../src/model/tree.ts";

const FILES = [
  { name: "a.json", bytes: 10, role: "mpk" },
  { name: "data/b.bin", bytes: 20, role: "other" },
  { name: "data/deep/c.bin", bytes: 30, role: "other" },
];

test("a tree has folders with the sizes of what is in them", () => {
  const root = treeOf("net", FILES);
  assert.equal(root.bytes, 60);
  const items = itemsOf(root, new Set());
  assert.deepEqual(
    items.map(item => [item.node.name, item.level, item.open, item.node.bytes]),
    [
      ["net", 1, true, 60],
      ["a.json", 2, null, 10],
      ["data", 2, true, 50],
      ["b.bin", 3, null, 20],
      ["deep", 3, true, 30],
      ["c.bin", 4, null, 30],
    ],
  );
  assert.deepEqual([items[2]?.position, items[2]?.siblings], [2, 2]);
  assert.deepEqual(filesBelow(root).sort(), ["a.json", "data/b.bin", "data/deep/c.bin"]);
});

test("what is closed shows none of its files", () => {
  assert.deepEqual(
    itemsOf(treeOf("net", FILES), new Set(["data"])).map(item => item.node.name),
    ["net", "a.json", "data"],
  );
});

test("a pipeline's columns follow the longest way, branches lie side by side", () => {
  const plugin = (sequence: number) => ({ sequence, name: `p${sequence}`, processor: "MLA", detail: "" }) as never;
  const link = (source: number | null, target: number | null) => ({ name: "t", source, target }) as never;
  const drawing = drawingOf(
    [plugin(1), plugin(2), plugin(3), plugin(4)],
    [link(null, 0), link(0, 1), link(0, 2), link(1, 3), link(2, 3), link(3, null)],
  );
  assert.deepEqual(
    drawing.places.map(place => [place.column, place.row]),
    [
      [0, 0],
      [1, 0],
      [1, 1],
      [2, 0],
    ],
  );
  assert.equal(drawing.columns, 3);
  assert.equal(drawing.rows, 2);
  assert.deepEqual([drawing.edges[0]?.source, drawing.edges.at(-1)?.target], [-1, -1]);
});

test("the peak is what is alive at once; what is freed at a cycle is free for what begins there", () => {
  const column = (...values: number[]) => Float64Array.from(values);
  assert.deepEqual(peakOf(column(0, 5, 10), column(10, 12, 20), column(100, 50, 100)), { bytes: 150, at: 5 });
  assert.deepEqual(peakOf(column(0, 10), column(10, 20), column(100, 100)), { bytes: 100, at: 0 });
});

test("a point of the memory map belongs to the buffer that holds it then", () => {
  const column = (...values: number[]) => Float64Array.from(values);
  const map = {
    rows: [0, 1],
    address: column(0, 0),
    bytes: column(100, 50),
    start: column(0, 10),
    end: column(10, 20),
  } as never;
  assert.equal(bufferAt(map, 5, 60), 0);
  assert.equal(bufferAt(map, 10, 40), 1);
  assert.equal(bufferAt(map, 10, 60), -1);
});

test("a table gives scalars, lists and nested rows; what is not recorded is null or empty", () => {
  const table = tableOf<{ name: string | null; sizes: number[]; parts: { id: number }[]; flag?: boolean | null }>([
    { name: "a", sizes: [1, 2], parts: [{ id: 7 }], flag: true },
    { name: null, sizes: [], parts: [], flag: null },
  ]);
  assert.equal(table.get(0, "name"), "a");
  assert.equal(table.get(1, "name"), null);
  assert.equal(table.get(0, "flag"), true);
  assert.equal(table.get(1, "flag"), null);
  assert.deepEqual(table.list(0, "sizes"), [1, 2]);
  assert.deepEqual(table.list(1, "sizes"), []);
  assert.deepEqual(table.list(0, "parts"), [{ id: 7 }]);
  assert.deepEqual(table.list(0, "missing" as never), []);
});
