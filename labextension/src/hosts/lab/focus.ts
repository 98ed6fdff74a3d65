/** What a document tells of itself to panels beside it: its View, and what is selected in it. */
import type { ViewData } from "../../columns.ts";
import type { ViewState } from "../host.ts";

export interface Focus {
  /** Path of the file, as people know it. */
  readonly path: string;
  /** Null for what has no layers: a model, a file of another kind, one that is still being read. */
  readonly data: ViewData | null;
  readonly state: Partial<ViewState>;
}
