/**
 * Names as they may be shown. Names come from files that anybody may have written.
 *
 * Elements get them as text, never as markup, so nothing in them runs. What is left is what a reader would be misled by:
 * control characters, line breaks and the marks that turn the direction of writing are shown as their code points; and
 * names beyond `LONGEST` keep their two ends, which is where names differ.
 */

export const LONGEST = 160;

/** Controls, formats (marks of direction, joiners, soft hyphens), halves of pairs, and the two Unicode line breaks. */
const MISLEADING = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

export function visible(name: string): string {
  return name.replace(MISLEADING, mark => `\\u${(mark.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`);
}

export function shortened(name: string, longest = LONGEST): string {
  if (name.length <= longest) return visible(name);
  const head = Math.ceil((longest - 1) * 0.6);
  return `${visible(name.slice(0, head))}\u2026${visible(name.slice(name.length - (longest - 1 - head)))}`;
}

/** `text` in pieces, each marked as a hit of one of the words or not; the pieces together are `text`. */
export function highlighted(text: string, words: readonly string[]): { text: string; hit: boolean }[] {
  const wanted = words.filter(Boolean).map(word => word.toLowerCase());
  const lower = text.toLowerCase();
  // Lower case may be longer than the text (Turkish capital I with a dot): then positions do not fit, and nothing is marked.
  if (!wanted.length || lower.length !== text.length) return [{ text, hit: false }];
  const pieces: { text: string; hit: boolean }[] = [];
  let at = 0;
  while (at < text.length) {
    const next = nearest(lower, wanted, at);
    if (!next) break;
    if (next.from > at) pieces.push({ text: text.slice(at, next.from), hit: false });
    pieces.push({ text: text.slice(next.from, next.to), hit: true });
    at = next.to;
  }
  if (at < text.length || !pieces.length) pieces.push({ text: text.slice(at), hit: false });
  return pieces;
}

function nearest(lower: string, words: readonly string[], from: number): { from: number; to: number } | null {
  let best: { from: number; to: number } | null = null;
  for (const word of words) {
    const at = lower.indexOf(word, from);
    if (at >= 0 && (!best || at < best.from)) best = { from: at, to: at + word.length };
  }
  return best;
}
