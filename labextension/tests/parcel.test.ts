import assert from "node:assert/strict";
import { test } from "node:test";
import { openParcel } from "../src/parcel.ts";

/** A parcel as the server packs it: length, head, zeros up to a multiple of 8, buffers. */
function packed(head: object, columns: Uint8Array): ArrayBuffer {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const start = Math.ceil((4 + text.length) / 8) * 8;
  const bytes = new Uint8Array(start + columns.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  bytes.set(columns, start);
  return bytes.buffer;
}

const file = (length: number) => ({
  format: 1,
  view: { name: "net" },
  strings: [],
  tables: { layers: { count: 2, columns: { id: { kind: "integer", dtype: "u2", offset: 0, length } } } },
});

test("a parcel's views have their own columns, wherever the head ends", () => {
  for (const name of ["a", "bc", "\u00e4\u2192", "padding"]) {
    const parts = [0, 8].map(offset => ({ file: file(4), offset, length: 4 }));
    const columns = new Uint8Array([1, 0, 2, 0, 0, 0, 0, 0, 3, 0, 4, 0]);
    const parcel = openParcel(packed({ kind: "comparison", identity: name, parts }, columns));
    assert.equal(parcel.identity, name);
    assert.deepEqual(
      parcel.views.map(({ tables }) => [...(tables.layers.numbers("id") as Uint16Array)]),
      [
        [1, 2],
        [3, 4],
      ],
    );
  }
});

test("a file of another kind has a sentence and no view", () => {
  const parcel = openParcel(
    packed({ kind: "other", identity: "1", sentence: "a zip archive", parts: [] }, new Uint8Array()),
  );
  assert.deepEqual([parcel.kind, parcel.sentence, parcel.hint, parcel.views], ["other", "a zip archive", "", []]);
});
