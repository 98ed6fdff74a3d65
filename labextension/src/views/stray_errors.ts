/**
 * Errors that nobody catches: thrown by what answers a click, a key, a timer or an observer. The browser tells them to
 * its console only, so each view listens for those of this script and takes what happened while it was the one in use.
 */
import type { Release } from "./elements.ts";

/** Any of these says which view is in use; focus and input too, for those who use no pointer. */
const USES = ["pointerover", "pointerdown", "click", "wheel", "keydown", "input", "focusin"] as const;

/** Where this script was loaded from, as stacks write it: other code of the page has errors of its own. */
const OWN = placeIn(new Error("asked for its stack only").stack);

/** Calls `tell` with each stray error of the view in `root`; gives the function that ends it. */
export function watchStrayErrors(root: HTMLElement, tell: (error: Error) => void): Release {
  // Until anything is used, an error may be anybody's: every view says it.
  let inUse = true;
  const used = (event: Event): void => {
    inUse = event.composedPath().includes(root);
  };
  const take = (error: unknown): void => {
    if (inUse && error instanceof Error && isOwn(error)) tell(error);
  };
  const thrown = (event: ErrorEvent): void => take(event.error);
  const rejected = (event: PromiseRejectionEvent): void => take(event.reason);
  for (const kind of USES) addEventListener(kind, used, { capture: true, passive: true });
  addEventListener("error", thrown);
  addEventListener("unhandledrejection", rejected);
  return () => {
    for (const kind of USES) removeEventListener(kind, used, { capture: true });
    removeEventListener("error", thrown);
    removeEventListener("unhandledrejection", rejected);
  };
}

function isOwn({ stack }: Error): boolean {
  return OWN !== null && (stack ?? "").includes(`${OWN}:`);
}

/** The address in a stack's first frame: "at name (address:line:column)", or "name@address:line:column". */
function placeIn(stack: string | undefined): string | null {
  return /(?:^\s*at (?:.* \()?|@)(\S+?):\d+:\d+\)?$/m.exec(stack ?? "")?.[1] ?? null;
}
