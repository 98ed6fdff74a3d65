/**
 * Keys typed in a view stay in the view.
 *
 * There are two guards, for hosts listen in two places. Notebook 7 (and JupyterLab before it heard keys on their way up)
 * listens while the event is still on its way down, before any listener of ours, and asks only the focused element whether it
 * wants its keys for itself: so each focusable element carries the attribute. VS Code and any other page listen further up
 * and know no such attribute: they never hear what is stopped at the view's root.
 */

export const OWN_KEYS = { "data-lm-suppress-shortcuts": "true" } as const;

/** Stops key events at `root`; gives the function that ends it. */
export function keepKeys(root: HTMLElement): () => void {
  const stop = (event: Event) => event.stopPropagation();
  const kinds = ["keydown", "keyup", "keypress"];
  for (const kind of kinds) root.addEventListener(kind, stop);
  return () => {
    for (const kind of kinds) root.removeEventListener(kind, stop);
  };
}
