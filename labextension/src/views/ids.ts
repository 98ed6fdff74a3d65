/**
 * Ids that no other view on the page has. Preact's own `useId` counts anew in every root, and a page has many: a label would
 * name the field of another view.
 */
import { useState } from "preact/hooks";

/** Several copies of this script may run on one page: an inline one per output, the widgets', the extension's. */
const COPY = Math.random().toString(36).slice(2, 8);
let made = 0;

export function useId(): string {
  return useState(() => `sima-${COPY}-${++made}`)[0];
}
