/**
 * Keys typed in a view stay in the view.
 *
 * JupyterLab listens while the event is still on its way down and asks only the focused element whether it wants its keys
 * for itself: so each focusable element carries the attribute. Everything else that listens further up never hears them.
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
