/**
 * What the server sends of a file: one JSON head, then the columns of its Views.
 *
 * Four bytes with the length of the head (little-endian), the head, zeros up to a multiple of 8, then the buffers of
 * `parts`, each at its `offset` behind those zeros.
 */
import { decode, type ViewData } from "./columns.ts";
import type { ViewFile } from "./contract.ts";
import type { Compared } from "./model/comparison.ts";

export type FileKind = "archive" | "stats" | "pipeline" | "model" | "other" | "comparison";

interface Part {
  readonly file: ViewFile;
  readonly offset: number;
  readonly length: number;
}

interface Head {
  readonly kind: FileKind;
  readonly identity: string;
  readonly sentence?: string;
  readonly hint?: string;
  readonly compared?: Compared;
  readonly parts: readonly Part[];
}

/** `views` has one View, two for a comparison, none for a model or a file of another kind, which `sentence` names. */
export interface Parcel {
  readonly kind: FileKind;
  /** Changes whenever the file does. */
  readonly identity: string;
  readonly sentence: string;
  readonly hint: string;
  /** What Python says of the two Views of a comparison. */
  readonly compared: Compared | null;
  readonly views: readonly ViewData[];
}

const LENGTH_BYTES = 4;
const ALIGNMENT = 8;

export function openParcel(buffer: ArrayBuffer): Parcel {
  const length = new DataView(buffer).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(buffer, LENGTH_BYTES, length));
  const head = JSON.parse(text) as Head;
  const start = Math.ceil((LENGTH_BYTES + length) / ALIGNMENT) * ALIGNMENT;
  const views = head.parts.map(part => decode(part.file, new Uint8Array(buffer, start + part.offset, part.length)));
  const { kind, identity, sentence = "", hint = "", compared = null } = head;
  return { kind, identity, sentence, hint, compared, views };
}
