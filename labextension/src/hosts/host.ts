/**
 * What a view may ask of the place it is shown in. Everything is optional: a control is there only where the host offers
 * what is behind it. A page without a kernel offers nothing, and every view is whole without it.
 */
import type { Words } from "../model/words.ts";

/** What can be set from outside and is told to the outside: the traits of the Python widgets, by the same names. */
export interface ViewState {
  /** Ids of selected layers. */
  readonly selected: readonly number[];
  readonly filter: string;
  /** Visible cycles, or null for all. */
  readonly range: readonly [number, number] | null;
  readonly unit: "cycles" | "time" | "share";
  readonly order: "timeline" | "cycles" | "name";
  readonly colour: "kind" | "cause" | "utilisation";
}

/** What a page keeps of itself beside that: no trait of a widget, but part of what a workspace brings back. */
export interface PageState {
  readonly layout: "lanes" | "rows" | "sorted";
  /** Layers with fewer cycles are not shown. */
  readonly least: number;
  /** Keys of the legend's groups that are switched off. */
  readonly hidden: readonly string[];
}

export interface PreviewRequest {
  readonly member: string;
  /** Which part: text comes in pages, so that a listing of a million lines costs one page. */
  readonly page: number;
  readonly search: string;
}

export interface Preview {
  readonly member: string;
  readonly kind: "json" | "yaml" | "listing" | "symbols" | "text" | "hex" | "refused";
  /** The page's lines; for "refused", why. */
  readonly lines: readonly string[];
  readonly page: number;
  readonly pages: number;
  /** Number of the first line, from 1. */
  readonly first_line: number;
  /** Hits in the whole member, and the pages that hold them. */
  readonly hits?: number;
  readonly hit_pages?: readonly number[];
}

export interface Host {
  /** The reader's language; English where the host has none. */
  readonly words?: Words;
  /** State to begin with. */
  readonly state?: Partial<ViewState & PageState>;
  /** Called with what the person changed. */
  readonly onState?: (changed: Partial<ViewState>) => void;
  readonly onPage?: (changed: Partial<PageState>) => void;
  /** Called with the ids of a layer that was chosen in a comparison, null on the side that has none. */
  readonly onPair?: (before: number | null, after: number | null) => void;
  /** Compiles again at a batch size; settles when done. The text is shown. */
  readonly recompile?: (batch: number) => Promise<string>;
  /** Runs the archive on the simulated machine and says what that took. */
  readonly simulate?: () => Promise<string>;
  readonly preview?: (request: PreviewRequest) => Promise<Preview>;
  /** Extracts members and says where to. */
  readonly extract?: (members: readonly string[]) => Promise<string>;
}

export interface Handle {
  /** State set from outside: not told back to the host. */
  readonly update: (state: Partial<ViewState>) => void;
  /** Removes everything and gives back memory, listeners and observers. */
  readonly dispose: () => void;
}
