/** What a document tells of itself to panels beside it: its Views, and what is selected in each. */
import type { ISignal } from "@lumino/signaling";

import type { ViewData } from "../../columns.ts";
import type { ViewState } from "../host.ts";

export interface Focus {
  /** Path of the file, as people know it. */
  readonly path: string;
  readonly data: ViewData;
  readonly state: Partial<ViewState>;
}

/** A document with layers; `focus` is empty while it has none: a model, a file of another kind, one still being read. */
export interface Focused {
  readonly focus: readonly Focus[];
  readonly focusChanged: ISignal<unknown, void>;
}
