/**
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
}
