import assert from "node:assert/strict";
import { test } from "node:test";
import { axisMove, type Branch, type Key, rowAfter, treeMove, typedAhead } from "../src/model/keyboard.ts";

function key(name: string, patch: Partial<Key> = {}): Key {
  return { key: name, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...patch };
}

test("rows: arrows, pages, ends, and nothing beyond the ends", () => {
  assert.equal(rowAfter(key("ArrowDown"), 3, 10, 4), 4);
  assert.equal(rowAfter(key("ArrowDown"), 9, 10, 4), 9);
  assert.equal(rowAfter(key("PageUp"), 2, 10, 4), 0);
  assert.equal(rowAfter(key("End"), 2, 10, 4), 9);
  assert.equal(rowAfter(key("ArrowDown"), -1, 10, 4), 0);
  assert.equal(rowAfter(key("ArrowUp"), -1, 10, 4), 9);
  assert.equal(rowAfter(key("a"), 2, 10, 4), null);
  assert.equal(rowAfter(key("End", { ctrlKey: true }), 2, 10, 4), null);
  assert.equal(rowAfter(key("ArrowDown"), 0, 0, 4), null);
});

const TREE: Branch[] = [
  { level: 1, open: true },
  { level: 2, open: false },
  { level: 2, open: true },
  { level: 3, open: null },
];

test("tree: right opens, then goes in; left closes, then goes out", () => {
  assert.deepEqual(treeMove(key("ArrowRight"), TREE, 1), { kind: "open", at: 1 });
  assert.deepEqual(treeMove(key("ArrowRight"), TREE, 2), { kind: "move", to: 3 });
  assert.equal(treeMove(key("ArrowRight"), TREE, 3), null);
  assert.deepEqual(treeMove(key("ArrowLeft"), TREE, 2), { kind: "close", at: 2 });
  assert.deepEqual(treeMove(key("ArrowLeft"), TREE, 3), { kind: "move", to: 2 });
  assert.deepEqual(treeMove(key("ArrowLeft"), TREE, 1), { kind: "move", to: 0 });
  assert.deepEqual(treeMove(key("End"), TREE, 0), { kind: "move", to: 3 });
  assert.deepEqual(treeMove(key("Enter"), TREE, 1), { kind: "activate", at: 1 });
});

test("tree: typing finds, the same letter goes on, more letters stay", () => {
  const labels = ["alpha", "beta", "Bravo", "alto"];
  assert.equal(typedAhead(labels, 0, "b"), 1);
  assert.equal(typedAhead(labels, 1, "b"), 2);
  assert.equal(typedAhead(labels, 1, "be"), 1);
  assert.equal(typedAhead(labels, 3, "a"), 0);
  assert.equal(typedAhead(labels, 0, "z"), -1);
});

test("timeline: arrows walk, with Shift they move the axis, and the browser's keys are left alone", () => {
  assert.equal(axisMove(key("ArrowRight")), "next");
  assert.equal(axisMove(key("ArrowRight", { shiftKey: true })), "right");
  assert.equal(axisMove(key("+", { shiftKey: true })), "closer");
  assert.equal(axisMove(key("0")), "all");
  assert.equal(axisMove(key("0", { ctrlKey: true })), null);
  assert.equal(axisMove(key("d")), null);
});
