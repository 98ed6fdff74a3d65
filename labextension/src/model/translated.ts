/**
 * A View in the reader's language: the closed sets that Python words (labels, their notes, shared wordings, what is not
 * recorded, totals). Sentences with facts in them stay as Python wrote them, in English.
 */
import type { ViewData } from "../columns.ts";
import type { Label } from "../contract.ts";
import type { Compared } from "./comparison.ts";
import type { Words } from "./words.ts";

export function translated(data: ViewData, words: Words): ViewData {
  const { view } = data;
  const palette = Object.fromEntries(
    Object.entries(view.palette).map(([name, labels]) => [name, labels.map((label: Label) => labelled(label, words))]),
  ) as unknown as ViewData["view"]["palette"];
  const wordings = Object.fromEntries(Object.entries(view.wordings).map(([name, text]) => [name, said(text, words)]));
  const all = (texts: readonly string[] | undefined) => (texts ?? []).map(text => said(text, words));
  const totals = { ...view.totals, counted: all(view.totals.counted) };
  return { ...data, view: { ...view, palette, wordings, totals, not_recorded: all(view.not_recorded) } };
}

export function translatedTotals(compared: Compared, words: Words): Compared {
  return { ...compared, totals: compared.totals.map(total => ({ ...total, label: said(total.label, words) })) };
}

function labelled(label: Label, words: Words): Label {
  return { ...label, label: said(label.label, words), note: said(label.note, words) };
}

/** A text that is none of ours comes back as it is; an empty one, or one with a place to fill, is not looked up. */
function said(text: string, words: Words): string {
  return text && !/%\d/.test(text) ? words.__(text) : text;
}
