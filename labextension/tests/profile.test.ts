import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, tableOf, type ViewData } from "../src/columns.ts";
import type { Layer, ViewFile } from "../src/contract.ts";
import { createExplorerStore, derive, understood } from "../src/model/explorer_state.ts";
import { causesOf, groupingOf, profileOf } from "../src/model/profile.ts";

const LABELS = (...keys: string[]) =>
  keys.map(key => ({ key, label: key, colour: "#000000", pattern: "", note: "", is_stall: false }));

function viewOf(layers: readonly Partial<Layer>[], events: readonly object[] = [], totals: object = {}): ViewData {
  const none = tableOf<never>([]);
  return {
    view: {
      machine: { clock_mhz: 1000 },
      totals: { cycles: 300, ...totals },
      palette: {
        families: LABELS("conv", "add"),
        causes: LABELS("useful", "weights"),
        engines: LABELS("compute", "dma_in"),
      },
      wordings: { no_events: "No events.", no_stats: "No statistics." },
      left_out: ["Shortened"],
      not_recorded: ["stalls", "the memory map"],
    },
    tables: {
      layers: tableOf(layers),
      events: tableOf(events),
      memory_map: none,
      candidates: none,
      placements: none,
      files: none,
      plugins: none,
      links: none,
    },
  } as unknown as ViewData;
}

const LAYERS = [
  { id: 4, name: "a", family: "conv", start_cycle: 0, end_cycle: 99, runtime_cycles: 110, cause_cycles: [100, 10] },
  {
    id: 7,
    name: "b",
    family: "new kind",
    start_cycle: 100,
    end_cycle: 149,
    runtime_cycles: 190,
    cause_cycles: [50, 140],
  },
  { id: 9, name: "c", family: "add", sources: ["node_9"] },
];
const EVENTS = [
  { engine: "compute", layer: 7, start_cycle: 150, end_cycle: 299 },
  { engine: "compute", layer: 4, start_cycle: 10, end_cycle: 109 },
  { engine: "dma_in", layer: 7, start_cycle: 0, end_cycle: 9 },
  { engine: "compute", layer: 999, start_cycle: 120, end_cycle: 130 },
];

test("lanes: the schedule and each engine that worked, on one axis that ends with the run", () => {
  const profile = profileOf(viewOf(LAYERS, EVENTS, { runtime_cycles: 300 }));
  assert.deepEqual(
    profile.lanes.map(lane => [lane.key, lane.track.count]),
    [
      ["static", 2],
      ["compute", 3],
      ["dma_in", 1],
    ],
  );
  assert.deepEqual(profile.whole, { from: 0, to: 300 });
  const compute = profile.lanes[1]?.track.rows[0];
  assert.deepEqual([...(compute?.start ?? [])], [10, 120, 150]);
  assert.deepEqual([...(compute?.end ?? [])], [110, 131, 300], "ends are half open");
  assert.deepEqual([...(compute?.layer ?? [])], [0, -1, 1], "ids become rows; an unknown id is nobody's");
});

test("a layer lies where its engines worked, else where the schedule has it", () => {
  const profile = profileOf(viewOf(LAYERS, EVENTS));
  assert.deepEqual([profile.start[0], profile.end[0]], [10, 110]);
  assert.deepEqual([profile.start[1], profile.end[1]], [150, 300], "an early load does not widen it");
  const plain = profileOf(viewOf(LAYERS));
  assert.deepEqual([plain.start[1], plain.end[1]], [100, 150]);
  assert.deepEqual(plain.missing, ["Not recorded: stalls, the memory map."]);
});

test("cycles: of the run, else the entry's length, inclusive end", () => {
  assert.deepEqual([...profileOf(viewOf(LAYERS)).cycles], [110, 190, 0]);
  const entries = [{ id: 1, name: "a", start_cycle: 5, end_cycle: 9 }];
  assert.deepEqual([...profileOf(viewOf(entries)).cycles], [5]);
});

test("groups: by family with what is not known apart, by the cause that takes most", () => {
  const profile = profileOf(viewOf(LAYERS));
  const kinds = groupingOf(profile, "kind");
  assert.deepEqual([...kinds.ofLayer], [0, 2, 1]);
  assert.deepEqual([...kinds.cycles], [110, 0, 190]);
  const causes = groupingOf(profile, "cause");
  assert.deepEqual([...causes.ofLayer], [0, 1, 2], "no causes recorded is a group of its own");
});

test("causes of some layers are sums of theirs", () => {
  const profile = profileOf(viewOf(LAYERS, [], { cause_cycles: [150, 150] }));
  const cycles = (rows: readonly number[] | null) => causesOf(profile, rows)?.map(part => part.cycles) ?? null;
  assert.deepEqual(cycles([0, 1]), [150, 150]);
  assert.deepEqual(cycles(null), [150, 150]);
  assert.equal(cycles([2]), null);
});

test("what is shown follows filter, order and selection", () => {
  const profile = profileOf(viewOf(LAYERS, EVENTS));
  const store = createExplorerStore({ order: "cycles" });
  const derived = derive(profile, store);
  assert.deepEqual([...derived.order()], [1, 0, 2]);
  store.set({ filter: "node_9" });
  assert.deepEqual([...derived.order()], [2], "found by its source node");
  store.set({ filter: "", range: [150, 160], selected: [7, 12345] });
  assert.deepEqual([...derived.order()], [1]);
  assert.deepEqual(derived.chosen(), [1]);
  assert.equal(derived.order(), derived.order(), "kept until something changes");
});

test("a state from outside is taken as far as it is understood", () => {
  assert.deepEqual(understood({ selected: [1, "x", 2.5], unit: "parsecs", order: "name", range: [5, 1], filter: 7 }), {
    selected: [1],
    order: "name",
  });
  assert.deepEqual(understood({ range: [] }), { range: null });
  assert.deepEqual(understood({ range: [1, 2] }), { range: [1, 2] });
});

test("columns are decoded from base64 and from a buffer, with shared strings far apart", () => {
  const column = (kind: string, dtype: string, place: object) => ({ kind, dtype, ...place });
  const strings = ["", "compute", "conv", "b", "a"];
  const base = { format: 1, view: {}, strings };
  const data = Buffer.from(Uint16Array.from([300, 7]).buffer).toString("base64");
  const codes = Buffer.from(Int8Array.from([4, -1])).toString("base64");
  const layers = {
    count: 2,
    columns: { id: column("integer", "u2", { data }), name: column("text", "i1", { data: codes }) },
  };
  const view = decode({ ...base, tables: { layers } } as unknown as ViewFile);
  assert.deepEqual(
    [0, 1].map(row => [view.tables.layers.get(row, "id"), view.tables.layers.get(row, "name")]),
    [
      [300, "a"],
      [7, null],
    ],
  );
  const buffer = new Uint8Array([9, 9, 9, 9, 9, 9, 9, 9, 1, 0, 2, 0]);
  const binary = { count: 2, columns: { id: column("integer", "u2", { offset: 8, length: 4 }) } };
  const other = decode({ ...base, tables: { layers: binary } } as unknown as ViewFile, new DataView(buffer.buffer));
  assert.deepEqual(other.tables.layers.get(1, "id"), 2);
  assert.throws(() => decode({ ...base, format: 2, tables: {} } as unknown as ViewFile), /format 2/);
});
