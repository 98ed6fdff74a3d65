/**
 * What a notebook output carries of a view, and how it is put on the page without a kernel.
 *
 * The bundle in a saved notebook outlives the release that wrote it, so an unknown kind of view is a sentence, no error.
 */

import { decode } from "../columns.ts";
import type { ViewFile } from "../contract.ts";
import { VIEWS } from "../views/views.ts";

/** The payload of our MIME type. `model_id` is null where no widget was ever made. */
export interface SavedView {
  readonly model_id: string | null;
  readonly view: string;
  readonly data: unknown;
}

export type Unmount = () => void;

/** Show `saved` in `element`; errors of a view are shown in its place, so that one broken output spoils no notebook. */
export function mountSaved(element: HTMLElement, saved: SavedView): Unmount {
  const mount = VIEWS[saved.view];
  if (mount === undefined) {
    return say(element, `This release of sima-nb cannot show a view of the kind "${saved.view}".`);
  }
  try {
    return mount(element, decode(saved.data as ViewFile), {}).dispose;
  } catch (error) {
    return say(element, `This view could not be shown: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function say(element: HTMLElement, sentence: string): Unmount {
  const line = document.createElement("p");
  line.setAttribute("role", "alert");
  line.textContent = sentence;
  element.replaceChildren(line);
  return () => element.replaceChildren();
}
