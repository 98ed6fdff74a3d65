import assert from "node:assert/strict";
import { test } from "node:test";
import { scrollTo, TALLEST, visibleRows } from "../src/model/virtual.ts";

test("only rows in view, and a few beside them, are in the document", () => {
  const found = visibleRows({ rows: 10_000, rowHeight: 20, height: 400, scrollTop: 2000 });
  assert.ok(found.first <= 100 && found.last >= 120 && found.last - found.first < 40);
  assert.equal(found.offset, found.first * 20);
  assert.equal(found.total, 200_000);
});

test("few rows are all there", () => {
  assert.deepEqual(visibleRows({ rows: 3, rowHeight: 20, height: 400, scrollTop: 0 }), {
    first: 0,
    last: 3,
    offset: 0,
    total: 60,
  });
});

test("a million rows reach from the first to the last within what browsers can scroll", () => {
  const view = { rows: 1_000_000, rowHeight: 24, height: 480, scrollTop: 0 };
  assert.equal(visibleRows(view).total, TALLEST);
  assert.equal(visibleRows(view).first, 0);
  const end = visibleRows({ ...view, scrollTop: TALLEST - 480 });
  assert.equal(end.last, 1_000_000);
  // The last row ends where the content ends.
  assert.ok(Math.abs(end.offset + (1_000_000 - end.first) * 24 - TALLEST) < 1);
});

test("any row of a million can be scrolled to and is then in view", () => {
  const view = { rows: 1_000_000, rowHeight: 24, height: 480, scrollTop: 0 };
  for (const row of [0, 19, 20, 777_777, 999_999]) {
    const scrollTop = scrollTo(view, row);
    const found = visibleRows({ ...view, scrollTop });
    const top = found.offset + (row - found.first) * 24 - scrollTop;
    assert.ok(top > -1 && top + 24 < 481, `row ${row} at ${top}`);
  }
});

test("a row in view does not scroll", () => {
  assert.equal(scrollTo({ rows: 100, rowHeight: 20, height: 400, scrollTop: 200 }, 15), 200);
  assert.equal(scrollTo({ rows: 100, rowHeight: 20, height: 400, scrollTop: 200 }, 5), 100);
  assert.equal(scrollTo({ rows: 100, rowHeight: 20, height: 400, scrollTop: 200 }, 40), 420);
});
