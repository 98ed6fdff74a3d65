/**
 * Tables as columns: typed arrays, with one record's worth of values made only when somebody looks at a row.
 *
 * An absent column is "not recorded" for every row. Within a column -1 (integers, flags, texts) and NaN (numbers) say the
 * same, and are given out as null. Lists that are not recorded are empty.
 */

import type { Column as PackedColumn, Table as PackedTable, Rows, ViewFile } from "./contract.ts";

export type Values = ArrayLike<number>;
export type ViewHead = ViewFile["view"];

export interface Column {
  readonly kind: "integer" | "number" | "flag" | "text" | "integers" | "texts" | "rows";
  readonly values: Values;
  /** Row i of a list is `starts[i]` up to, not including, `starts[i + 1]`. */
  readonly starts?: Values;
  /** What the codes of a text column stand for. */
  readonly texts?: readonly string[];
  /** The items of a column of nested rows. */
  readonly rows?: Table<object>;
}

type Item<List> = List extends readonly (infer Element)[] ? Element : never;
type ListKey<Row> = {
  [Key in keyof Row]-?: NonNullable<Row[Key]> extends readonly unknown[] ? Key : never;
}[keyof Row];

export class Table<Row extends object> {
  readonly count: number;
  readonly columns: ReadonlyMap<string, Column>;

  constructor(count: number, columns: ReadonlyMap<string, Column>) {
    this.count = count;
    this.columns = columns;
  }

  has(name: keyof Row & string): boolean {
    return this.columns.has(name);
  }

  /** One value; null where it is not recorded. */
  get<Key extends keyof Row & string>(row: number, name: Key): NonNullable<Row[Key]> | null {
    const column = this.columns.get(name);
    return (column ? scalar(column, row) : null) as NonNullable<Row[Key]> | null;
  }

  /** The items of a list; empty where it is not recorded. */
  list<Key extends ListKey<Row> & string>(row: number, name: Key): Item<NonNullable<Row[Key]>>[] {
    const column = this.columns.get(name);
    const items: unknown[] = [];
    if (column?.starts) {
      const end = column.starts[row + 1] as number;
      for (let at = column.starts[row] as number; at < end; at++) {
        items.push(column.rows ? column.rows.record(at) : scalar(column, at));
      }
    }
    return items as Item<NonNullable<Row[Key]>>[];
  }

  /** A whole row as a record, for tables that are small or rows that are looked at closely. */
  record(row: number): Row {
    const found: Record<string, unknown> = {};
    for (const [name, column] of this.columns) {
      found[name] = column.starts ? this.list(row, name as never) : scalar(column, row);
    }
    return found as Row;
  }

  records(): Row[] {
    return Array.from({ length: this.count }, (_, row) => this.record(row));
  }

  /** A numeric column as it is; null where it is not recorded for any row. */
  numbers(name: keyof Row & string): Values | null {
    return this.columns.get(name)?.values ?? null;
  }
}

function scalar(column: Column, at: number): unknown {
  const value = column.values[at] as number;
  switch (column.kind) {
    case "number":
      return Number.isNaN(value) ? null : value;
    case "text":
    case "texts":
      return value < 0 ? null : (column.texts?.[value] ?? null);
    case "flag":
      return value < 0 ? null : value > 0;
    default:
      return value < 0 && column.kind === "integer" ? null : value;
  }
}

/** A View as the views read it: the head's fields and a table for each name of `Rows`. */
export interface ViewData {
  readonly view: ViewHead;
  readonly tables: { readonly [Name in keyof Rows]: Table<Rows[Name]> };
}

/** The newest layout that this script reads; a file of another one says so instead of being misread. */
const FORMAT = 1;
const NO_TABLE: PackedTable = { count: 0, columns: {} };

/** `file` as it came, in JSON or with its columns in `buffer`. Throws with a sentence when it is of another format. */
export function decode(file: ViewFile, buffer?: ArrayBufferView | ArrayBuffer): ViewData {
  if (file.format !== FORMAT) {
    throw new Error(`This page reads view format ${FORMAT}, the data are of format ${file.format}. Update sima-nb.`);
  }
  const bytes = buffer && (ArrayBuffer.isView(buffer) ? viewOf(buffer) : new Uint8Array(buffer));
  const open = <Row extends object>(table: PackedTable | undefined) =>
    unpack<Row>(table ?? NO_TABLE, file.strings, bytes);
  const { tables } = file;
  return {
    view: file.view,
    tables: {
      layers: open(tables.layers),
      events: open(tables.events),
      memory_map: open(tables.memory_map),
      candidates: open(tables.candidates),
      placements: open(tables.placements),
      files: open(tables.files),
      plugins: open(tables.plugins),
      links: open(tables.links),
    },
  };
}

function viewOf(buffer: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

function unpack<Row extends object>(table: PackedTable, strings: readonly string[], bytes?: Uint8Array): Table<Row> {
  const columns = Object.entries(table.columns).map(([name, column]): [string, Column] => {
    const starts = startsOf(column, table.count, bytes);
    return [
      name,
      {
        kind: column.kind,
        values: column.rows ? [] : valuesOf(column, bytes),
        texts: strings,
        ...(starts && { starts }),
        ...(column.rows && { rows: unpack<object>(column.rows, strings, bytes) }),
      },
    ];
  });
  return new Table(table.count, new Map(columns));
}

function startsOf(column: PackedColumn, count: number, bytes?: Uint8Array): Values | null {
  if (column.starts) return valuesOf(column.starts, bytes);
  const { width } = column;
  return width === undefined ? null : Float64Array.from({ length: count + 1 }, (_, row) => row * width);
}

const ARRAYS = {
  u1: Uint8Array,
  u2: Uint16Array,
  u4: Uint32Array,
  i1: Int8Array,
  i2: Int16Array,
  i4: Int32Array,
  f4: Float32Array,
  f8: Float64Array,
};

function valuesOf(column: PackedColumn, bytes?: Uint8Array): Values {
  const raw = column.data === undefined ? sliceOf(column, bytes) : fromBase64(column.data);
  const kind = ARRAYS[column.dtype ?? "f8"];
  return new kind(raw.buffer, raw.byteOffset, raw.byteLength / kind.BYTES_PER_ELEMENT);
}

function sliceOf(column: PackedColumn, bytes?: Uint8Array): Uint8Array<ArrayBuffer> {
  const { offset = 0, length = 0 } = column;
  // Copied: the buffer that a message came in need not lie where eight-byte numbers can be read, and need not live on.
  return bytes ? bytes.slice(offset, offset + length) : new Uint8Array(0);
}

/** Browsers since 2025 do it themselves, ten times faster. */
const NATIVE = (Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }).fromBase64;

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  if (NATIVE) return NATIVE.call(Uint8Array, text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** A table made from records: what the tests write by hand. The kinds are told by the values. */
export function tableOf<Row extends object>(records: readonly Row[]): Table<Row> {
  const names = new Set(records.flatMap(record => Object.keys(record)));
  return new Table(
    records.length,
    new Map([...names].map(name => [name, columnOf(records.map(record => (record as Record<string, unknown>)[name]))])),
  );
}

function columnOf(values: readonly unknown[]): Column {
  const lists = values.map(value => (Array.isArray(value) ? (value as unknown[]) : []));
  if (values.some(Array.isArray)) {
    const starts = Float64Array.from([0, ...lists.map((_, i) => lists.slice(0, i + 1).flat().length)]);
    const items = lists.flat();
    if (items.some(item => typeof item === "object")) {
      return { kind: "rows", values: [], starts, rows: tableOf(items as object[]) };
    }
    const inner = columnOf(items);
    return { ...inner, kind: inner.kind === "text" ? "texts" : "integers", starts };
  }
  if (values.some(value => typeof value === "string")) {
    const texts = [...new Set(values.filter(value => typeof value === "string"))];
    return { kind: "text", values: values.map(value => texts.indexOf(value as string)), texts };
  }
  if (values.some(value => typeof value === "boolean")) {
    return { kind: "flag", values: values.map(value => (typeof value === "boolean" ? Number(value) : -1)) };
  }
  return { kind: "number", values: values.map(value => (typeof value === "number" ? value : Number.NaN)) };
}
