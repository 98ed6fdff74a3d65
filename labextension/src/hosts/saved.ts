/**
 * What a notebook output carries of a view, and how it is put on the page without a kernel.
 *
 * The bundle in a saved notebook outlives the release that wrote it, so an unknown kind of view is a sentence, no error.
 */

import { decode } from "../columns.ts";
import type { ViewFile } from "../contract.ts";
import type { Compared } from "../model/comparison.ts";
import { mountComparison, VIEWS } from "../views/views.ts";
import { unpacked } from "./unpack.ts";

/** The payload of our MIME type. `model_id` is null where no widget was ever made. */
export interface SavedView {
  readonly model_id: string | null;
  readonly view: string;
  /** The data, compressed; absent where the HTML beside it carries it. */
  readonly packed?: string;
  /** The data as it is: outputs of early releases. */
  readonly data?: unknown;
}

export type Unmount = () => void;

/** Show `saved` in `element`; errors of a view are shown in its place, so that one broken output spoils no notebook. */
export function mountSaved(element: HTMLElement, saved: SavedView, html = ""): Unmount {
  if (saved.data === undefined) return mountPacked(element, saved, html);
  if (saved.view === "comparison") return mountPair(element, saved.data as SavedPair);
  const mount = VIEWS.get(saved.view);
  if (mount === undefined) {
    return say(element, `This release of sima-nb cannot show a view of the kind "${saved.view}".`);
  }
  try {
    return mount(element, decode(saved.data as ViewFile), {}).dispose;
  } catch (error) {
    return say(element, failed(error));
  }
}

/** The data out of the output's HTML, which is parsed and never shown: nothing in it runs. */
function packedIn(html: string): string {
  const page = new DOMParser().parseFromString(html, "text/html");
  return page.querySelector("script[data-sima-view][data-sima-gzip]")?.textContent ?? "";
}

function mountPacked(element: HTMLElement, saved: SavedView, html: string): Unmount {
  const packed = saved.packed ?? packedIn(html);
  if (!packed) return say(element, "This output has lost its data. Run its cell again.");
  let unmount: Unmount | null = () => undefined;
  const show = (make: () => Unmount): void => {
    if (unmount) unmount = make();
  };
  unpacked(packed)
    .then(text => show(() => mountSaved(element, { ...saved, data: JSON.parse(text) as unknown })))
    .catch(error => show(() => say(element, failed(error))));
  return () => {
    unmount?.();
    unmount = null;
  };
}

/** What a saved comparison carries: both sides, and what Python says of them. */
interface SavedPair extends Compared {
  readonly before: ViewFile;
  readonly after: ViewFile;
}

function mountPair(element: HTMLElement, saved: SavedPair): Unmount {
  try {
    const data = { ...saved, before: decode(saved.before), after: decode(saved.after) };
    return mountComparison(element, data, {}).dispose;
  } catch (error) {
    return say(element, failed(error));
  }
}

function failed(error: unknown): string {
  return `This view could not be shown: ${error instanceof Error ? error.message : String(error)}`;
}

function say(element: HTMLElement, sentence: string): Unmount {
  const line = document.createElement("p");
  line.setAttribute("role", "alert");
  line.textContent = sentence;
  element.replaceChildren(line);
  return () => element.replaceChildren();
}
