/* Generated from compiler/sima_compiler/view/schema.json by `make views`; change that file instead. */

/** Rows as columns. A field without a column is not recorded for any row. */
export interface Table {
  readonly count: number;
  readonly columns: Readonly<Record<string, Column>>;
}

/** Values of one field: -1 and NaN are not recorded. Base64 in `data`, or a range of the buffer. */
export interface Column {
  readonly kind: "integer" | "number" | "flag" | "text" | "integers" | "texts" | "rows";
  readonly dtype?: "u1" | "u2" | "u4" | "i1" | "i2" | "i4" | "f4" | "f8";
  readonly data?: string;
  readonly offset?: number;
  readonly length?: number;
  /** Values per row of a list whose rows are of equal length. */
  readonly width?: number;
  /** count + 1 positions: row i is starts[i] to starts[i + 1]. */
  readonly starts?: Column;
  /** Nested rows in place of values. */
  readonly rows?: Table;
}

/** Everything that is shown. ``kind``: archive or stats; ``report_version`` is None without a report.
 * 
 * ``wordings`` are the sentences and words that views share, by key. ``host_sentence`` says how many segments and host
 * layers there are, and what the archive leaves to the host; ``host_layers`` are the nodes of the A65. ``left_out``
 * says which rows a shortened View lacks, ``not_recorded`` what the file itself does not say, in sentences that may
 * follow "not recorded:". */
export interface View {
  readonly schema_version: string;
  readonly kind: string;
  readonly name: string;
  readonly path: string;
  readonly report_version: string | null;
  readonly machine: ViewMachine;
  readonly batch: Batch;
  readonly totals: Totals;
  readonly segments: readonly Segment[];
  readonly palette: Palette;
  readonly wordings: Readonly<Record<string, string>>;
  readonly left_to_host: readonly string[];
  readonly host_sentence: string;
  readonly host_layers: readonly HostLayer[];
  readonly warnings: readonly string[];
  readonly findings: readonly Finding[];
  readonly left_out: readonly string[];
  readonly not_recorded: readonly string[];
}

/** The batch that was asked for and the one that was built; ``sentence`` says both and why.
 * 
 * ``why_not_more`` and ``why_not_faster`` answer what everybody asks then, empty where the question does not arise;
 * ``would_help`` has a sentence for each lever that the file names. */
export interface Batch {
  readonly desired_batch_size: number | null;
  readonly actual_batch_size: number | null;
  readonly reason: string;
  readonly sentence: string;
  readonly why_not_more: string;
  readonly why_not_faster: string;
  readonly would_help: readonly string[];
}

/** Bytes that cross the DRAM's port in one run, all MLA segments.
 * 
 * ``loaded_bytes`` and ``stored_bytes`` are everything that data transfers move in and out, spills and parameters
 * included; ``instruction_bytes`` come on top. ``parameter_bytes`` and ``stored_parameter_bytes`` are sizes, not
 * traffic: the same blocks of constants on chip and in DRAM. */
export interface DramTraffic {
  readonly loaded_bytes: number;
  readonly stored_bytes: number;
  readonly loaded_parameter_bytes: number | null;
  readonly loaded_spill_bytes: number | null;
  readonly stored_spill_bytes: number | null;
  readonly instruction_bytes: number | null;
  readonly weight_bytes: number | null;
  readonly parameter_bytes: number | null;
  readonly stored_parameter_bytes: number | null;
}

/** One piece of advice. ``evidence`` is a sentence with its numbers; ``cycles`` what following it could recover.
 * 
 * Advice about the EV74 has ``bytes`` and ``steps`` in place of cycles. ``layers`` are ids. */
export interface Finding {
  readonly kind: string;
  readonly title: string;
  readonly evidence: string;
  readonly advice: string;
  readonly cycles: number | null;
  readonly bytes: number | null;
  readonly steps: number | null;
  readonly layers: readonly number[];
}

/** A node of the source model that the MLA does not run: why, the ``rule`` that it breaks there (empty where it only
 * follows another), and the ``remedy`` that would move it back.
 * 
 * ``macs`` are its multiply-accumulates in one run, ``share`` their part of the whole network's. */
export interface HostLayer {
  readonly node: string;
  readonly operator: string;
  readonly segment: string;
  readonly reason: string;
  readonly rule: string;
  readonly remedy: string;
  readonly macs: number;
  readonly share: number;
}

/** A key of a closed set with what people read and see for it.
 * 
 * ``colour`` is ``#rrggbb``; ``pattern`` (solid, diagonal, dots ...) tells it apart without colour; ``note`` is one
 * sentence that explains it. ``is_stall`` marks causes in which the compute queue waits. */
export interface Label {
  readonly key: string;
  readonly label: string;
  readonly colour: string;
  readonly pattern: string;
  readonly note: string;
  readonly is_stall: boolean;
}

/** The closed sets, each in the order of legends. ``cause_cycles`` everywhere follow the order of ``causes``. */
export interface Palette {
  readonly families: readonly Label[];
  readonly causes: readonly Label[];
  readonly bounds: readonly Label[];
  readonly engines: readonly Label[];
  readonly processors: readonly Label[];
  readonly buffers: readonly Label[];
  readonly roles: readonly Label[];
  readonly statuses: readonly Label[];
}

/** Layers that one processor runs without a break, in the order of execution; host segments have no cycles.
 * 
 * ``start_cycle`` is where it begins in the run, ``static_start_cycle`` where it begins in the static schedule. */
export interface Segment {
  readonly name: string;
  readonly processor: string;
  readonly file: string;
  readonly layers: number;
  readonly start_cycle: number | null;
  readonly static_start_cycle: number | null;
  readonly compute_cycles: number | null;
  readonly runtime_cycles: number | null;
  readonly steps: number | null;
  readonly on_chip_bytes: number | null;
  readonly peak_bytes: number | null;
  readonly lower_bound_bytes: number | null;
  readonly spilled: readonly TensorBytes[];
}

/** A tensor of the whole batch. */
export interface TensorBytes {
  readonly name: string;
  readonly bytes: number;
}

/** The whole network, MLA alone. ``counted`` says in sentences what the numbers include and what they do not.
 * 
 * ``cycles`` are the runtime cycles where recorded, else the static schedule's; latency and rate follow from them.
 * ``static_cycles`` is the length of the static schedule's axis, ``cause_cycles`` sum up to ``runtime_cycles``.
 * ``bound_by``: macs or dram, whichever of the two decides ``bound_cycles``. ``overlaps`` is the sentence of
 * ``counted`` that says how layers were counted which overlap or leave gaps; empty where none do. */
export interface Totals {
  readonly layers: number;
  readonly cycles: number;
  readonly static_cycles: number;
  readonly compute_cycles: number;
  readonly runtime_cycles: number | null;
  readonly bound_cycles: number | null;
  readonly bound_by: string | null;
  readonly padded_bound_cycles: number | null;
  readonly efficiency: number | null;
  readonly macs: number | null;
  readonly cause_cycles: readonly number[];
  readonly latency_us: number | null;
  readonly samples_per_second: number | null;
  readonly dram: DramTraffic | null;
  readonly counted: readonly string[];
  readonly overlaps: string;
}

/** What was compiled for. ``clock_assumed``: the file names no clock, so the published one is taken.
 * 
 * ``start_cycles``: what a layer pays to begin, for each sample. */
export interface ViewMachine {
  readonly name: string;
  readonly clock_mhz: number;
  readonly clock_assumed: boolean;
  readonly quads: number | null;
  readonly macs_per_cycle: number | null;
  readonly dram_bytes_per_cycle: number | null;
  readonly on_chip_bytes: number | null;
  readonly start_cycles: number | null;
}

/** One batch size that was weighed. ``status``: scheduled, estimated, or does_not_fit. */
export interface BatchCandidate {
  readonly batch_size: number;
  readonly feasible: boolean;
  readonly status?: string;
  readonly peak_on_chip_bytes?: number | null;
  readonly cycles?: number | null;
  readonly cycles_per_sample?: number | null;
  readonly samples_per_second?: number | null;
  readonly limiting_layer?: string | null;
  readonly limiting_tensors?: readonly LimitingTensor[];
  readonly spilled?: readonly string[];
  readonly reason?: string;
  readonly levers?: readonly Lever[];
}

/** A stretch of the run in which an engine works for one layer (its id). ``engine``: compute, dma_in or dma_out. */
export interface Event {
  readonly engine: string;
  readonly layer: number;
  readonly start_cycle: number;
  readonly end_cycle: number;
}

/** One file of the archive; ``role`` is a key of ``palette.roles``. */
export interface FileRow {
  readonly name: string;
  readonly bytes: number;
  readonly role: string;
}

/** One layer. ``start_cycle`` and ``end_cycle`` place it in the static schedule, ``run_start_cycle`` and
 * ``run_end_cycle`` (its first and last cycle of compute) in the run.
 * 
 * ``family`` is a key of ``palette.families``, ``bound_by`` one of ``palette.bounds``. ``cause_cycles`` sum up to
 * ``runtime_cycles``. Shapes are texts like ``1x56x56x64``: samples, rows, columns, channels. ``placement`` is the
 * sentence that says why it runs on ``processor``. ``loaded_bytes`` and ``stored_bytes`` cross the DRAM's port. */
export interface Layer {
  readonly id: number;
  readonly name: string;
  readonly family?: string;
  readonly operator?: string;
  readonly segment?: string;
  readonly processor?: string;
  readonly start_cycle?: number | null;
  readonly end_cycle?: number | null;
  readonly run_start_cycle?: number | null;
  readonly run_end_cycle?: number | null;
  readonly compute_cycles?: number | null;
  readonly runtime_cycles?: number | null;
  readonly cause_cycles?: readonly number[];
  readonly macs?: number | null;
  readonly utilization?: number | null;
  readonly bound_by?: string | null;
  readonly sources?: readonly string[];
  readonly inputs?: readonly string[];
  readonly output?: string | null;
  readonly input_shapes?: readonly string[];
  readonly output_shape?: string | null;
  readonly input_bytes?: number | null;
  readonly output_bytes?: number | null;
  readonly weight_bytes?: number | null;
  readonly parameter_bytes?: number | null;
  readonly stored_parameter_bytes?: number | null;
  readonly loaded_bytes?: number | null;
  readonly stored_bytes?: number | null;
  readonly blocks?: number | null;
  readonly block_shape?: string | null;
  readonly placement?: string | null;
}

/** What would help a batch size, as a sentence; the numbers are what planning with it gave, None where not planned.
 * 
 * ``what_if`` marks levers that change machine or network rather than the compile. ``reason`` says why nothing came of
 * planning with it. */
export interface Lever {
  readonly text: string;
  readonly feasible?: boolean | null;
  readonly largest_batch_size?: number | null;
  readonly cycles_per_sample?: number | null;
  readonly what_if?: boolean;
  readonly samples_per_second?: number | null;
  readonly reason?: string;
}

/** A tensor that keeps a batch size from being built. ``bytes`` of the whole batch, None where not recorded. */
export interface LimitingTensor {
  readonly name: string;
  readonly bytes?: number | null;
  readonly reason?: string;
}

/** A buffer on its way from plugin ``source`` to plugin ``target``, by index.
 * 
 * No source: it is an input of the model, or nobody in the archive writes it. No target: an output of the model. */
export interface Link {
  readonly name: string;
  readonly source?: number | null;
  readonly target?: number | null;
  readonly bytes?: number | null;
}

/** A range of on-chip memory that a buffer holds from ``first_step`` to ``last_step``, both included.
 * 
 * The cycles are those of the run in which commands touch it, from the start of the first transfer or compute command
 * to the end of the last; a load may run ahead of ``first_step``. ``last_use_step`` is the last step that reads or
 * writes it, or whose result is stored from it: a ``last_step`` behind it is a late free. ``layers`` are ids, in
 * order of first use. */
export interface MemoryBuffer {
  readonly name: string;
  readonly kind: string;
  readonly address: number;
  readonly bytes: number;
  readonly segment?: string;
  readonly first_step?: number | null;
  readonly last_step?: number | null;
  readonly last_use_step?: number | null;
  readonly start_cycle?: number | null;
  readonly end_cycle?: number | null;
  readonly layers?: readonly number[];
}

/** Where a node of the source model runs, and why. */
export interface Placement {
  readonly node: string;
  readonly operator: string;
  readonly processor: string;
  readonly reason?: string;
}

/** One step of the pipeline; ``detail`` is the kernel, or the file of the archive that it runs. */
export interface Plugin {
  readonly sequence: number;
  readonly name: string;
  readonly processor: string;
  readonly detail: string;
  readonly desired_batch_size?: number | null;
  readonly actual_batch_size?: number | null;
  readonly inputs?: readonly Port[];
  readonly outputs?: readonly Port[];
}

/** A buffer that a plugin reads or writes. */
export interface Port {
  readonly name: string;
  readonly bytes?: number | null;
}

/** A View as JSON and bytes: one head, one string table, little-endian columns.
 * 
 * In: a `View`. Out: `to_json`, one JSON value with the columns as base64; or `to_binary`, the same head with offsets into
 * one buffer. Always holds: texts stand once, in ``strings``; a column has the narrowest type that holds its values, so
 * that whole numbers up to 2**53 are exact in the browser; a column that is absent is "not recorded".
 * 
 * The head: ``{"format": 1, "view": {...}, "strings": [...], "tables": {name: table}}`` with a table being
 * ``{"count": n, "columns": {field: column}}``. ``view`` holds every field of the View that is no table. A column:
 * ``{"kind", "dtype", "data"}``; ``dtype`` is u1, u2, u4, i1, i2, i4, f4 or f8, little-endian; ``data`` is base64, in
 * binary form ``{"offset", "length"}`` in bytes, offsets being multiples of 8. Texts are indexes into ``strings``. A
 * list's values stand one row after another: with ``width``, each row has so many; otherwise ``starts`` is a column of
 * ``count`` + 1 positions. ``rows`` lists have a nested table in ``rows`` in place of values. */
export interface ViewFile {
  readonly format: 1;
  readonly view: View;
  readonly strings: readonly string[];
  readonly tables: {
  readonly layers: Table;
  readonly events: Table;
  readonly memory_map: Table;
  readonly candidates: Table;
  readonly placements: Table;
  readonly files: Table;
  readonly plugins: Table;
  readonly links: Table;
};
}

/** The records that the rows of each table are. */
export interface Rows {
  readonly layers: Layer;
  readonly events: Event;
  readonly memory_map: MemoryBuffer;
  readonly candidates: BatchCandidate;
  readonly placements: Placement;
  readonly files: FileRow;
  readonly plugins: Plugin;
  readonly links: Link;
}
