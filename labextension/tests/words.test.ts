import assert from "node:assert/strict";
import { test } from "node:test";
import type { ViewData } from "../src/columns.ts";
import type { Compared } from "../src/model/comparison.ts";
import { translated, translatedTotals } from "../src/model/translated.ts";
import { ENGLISH, type Words } from "../src/model/words.ts";

const asked: string[] = [];
const SHOUTED: Words = {
  __: text => {
    asked.push(text);
    return text.toUpperCase();
  },
  _n: one => one,
};

test("English fills in what stands for %1 and %2, also what looks like a place itself", () => {
  assert.equal(ENGLISH.__("%1 of %2"), "%1 of %2");
  assert.equal(ENGLISH.__("%2 of %1", "a %2", "b"), "b of a %2");
  assert.equal(ENGLISH._n("%2 layer", "%2 layers", 1, "1"), "1 layer");
  assert.equal(ENGLISH._n("%2 layer", "%2 layers", 1000, "1,000"), "1,000 layers");
  assert.equal(ENGLISH._n("%1 layer", "%1 layers", 0), "0 layers");
});

test("the closed sets of a View are translated, its sentences and columns are not", () => {
  const label = { key: "conv", label: "convolution", note: "", colour: "#000", pattern: "solid", is_stall: false };
  const view = {
    palette: { families: [label] },
    wordings: { static: "static schedule", odd: "takes %1" },
    totals: { counted: ["cycles are"], cycles: 7 },
    not_recorded: ["stalls"],
    batch: { sentence: "Batch 3 fits." },
  };
  const tables = {};
  const found = translated({ view, tables } as unknown as ViewData, SHOUTED);
  assert.equal(found.view.palette.families[0]?.label, "CONVOLUTION");
  assert.equal(found.view.palette.families[0]?.key, "conv");
  assert.deepEqual(found.view.wordings, { static: "STATIC SCHEDULE", odd: "takes %1" });
  assert.deepEqual(found.view.totals.counted, ["CYCLES ARE"]);
  assert.deepEqual(found.view.not_recorded, ["STALLS"]);
  assert.equal(found.view.batch.sentence, "Batch 3 fits.");
  assert.equal(found.tables, tables as never);
  assert.ok(!asked.includes(""), "an empty text is the head of a catalogue");
});

test("totals of a comparison are translated by their labels", () => {
  const total = { name: "layers", label: "layers", unit: "count", before: 1, after: 2 } as const;
  const compared: Compared = { measure: "runtime_cycles", pairs: [], totals: [total], files: [], notes: ["as it is"] };
  const found = translatedTotals(compared, SHOUTED);
  assert.equal(found.totals[0]?.label, "LAYERS");
  assert.equal(found.totals[0]?.name, "layers");
  assert.deepEqual(found.notes, ["as it is"]);
});
