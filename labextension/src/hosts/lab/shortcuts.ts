/**
 * The application's shortcuts inside our documents.
 *
 * The parts of a view keep every key from the application, which they must in a notebook's output, where a single letter
 * changes cells. In a document of ours nothing but shortcuts with Ctrl, Alt or Cmd could be meant for the application:
 * those are offered to it once more, as if they had been typed on the document itself.
 */
const SUPPRESSED = "[data-lm-suppress-shortcuts]";

export function offerShortcuts(node: HTMLElement): () => void {
  const offer = (event: KeyboardEvent) => {
    const { target } = event;
    const isChord = event.ctrlKey || event.altKey || event.metaKey;
    if (!isChord || !(target instanceof Element) || !target.closest(SUPPRESSED)) return;
    const again = new KeyboardEvent("keydown", event);
    if (node.dispatchEvent(again)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  node.addEventListener("keydown", offer, { capture: true });
  return () => node.removeEventListener("keydown", offer, { capture: true });
}
