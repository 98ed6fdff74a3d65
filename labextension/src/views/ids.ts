/**
<<<<<<< HEAD
 * Ids of elements, different everywhere in a document.
 *
 * Preact's own `useId` counts from 0 in every tree, and a notebook holds many: a label of the second view would then belong
 * to a field of the first. The number drawn once tells apart the scripts of one page, each of which counts by itself.
 */
import { useState } from "preact/hooks";

const OWN = Math.random().toString(36).slice(2, 10);
let made = 0;

/** The same in every picture of a component. */
export function useId(): string {
  return useState(() => `sima-${OWN}-${made++}`)[0];
=======
 * Ids that no other view on the page has. Preact's own `useId` counts anew in every root, and a page has many: a label would
 * name the field of another view.
 */
import { useState } from "preact/hooks";

/** Several copies of this script may run on one page: an inline one per output, the widgets', the extension's. */
const COPY = Math.random().toString(36).slice(2, 8);
let made = 0;

export function useId(): string {
  return useState(() => `sima-${COPY}-${++made}`)[0];
>>>>>>> main
}
