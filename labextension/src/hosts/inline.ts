/**
 * Upgrades static pages in place: the offline page, and the report that a notebook keeps.
 *
 * A page holds `[data-sima-report]` elements. In each, `<script type="application/json" data-sima-view>` carries a View, and
 * every `[data-sima-upgrade="explorer"]` holds the static form of one part. The live view is put
 * behind the static form, which the page's own style sheet then hides on screen (`[data-sima-live]`) and keeps for print.
 * Without this script, or when it fails, the static form is what is seen.
 */
import { decode, type ViewData } from "../columns.ts";
import type { ViewFile } from "../contract.ts";
import { mount as explorer } from "../views/explorer.tsx";
import { showFailure } from "../views/mounting.tsx";
import type { Mount } from "../views/views.ts";
import { unpacked } from "./unpack.ts";

/** The parts that gain by a script. The others say all they can as they are, and every kilobyte here is in every output. */
const UPGRADES: Readonly<Record<string, Mount>> = { explorer };

async function dataOf(report: Element): Promise<ViewData | null> {
  const script = report.querySelector("script[data-sima-view]");
  if (!script?.textContent) return null;
  const text = script.hasAttribute("data-sima-gzip") ? await unpacked(script.textContent) : script.textContent;
  return decode(JSON.parse(text) as ViewFile);
}

async function upgrade(report: HTMLElement): Promise<void> {
  report.setAttribute("data-sima-seen", "");
  try {
    const data = await dataOf(report);
    if (!data) return;
    for (const place of report.querySelectorAll<HTMLElement>("[data-sima-upgrade]")) upgradePart(place, data);
  } catch (error) {
    showFailure(report, "The interactive view", error);
  }
}

function upgradePart(place: HTMLElement, data: ViewData): void {
  const mount = UPGRADES[place.dataset["simaUpgrade"] ?? ""];
  if (!mount) return;
  try {
    mount(place, data, {});
    place.setAttribute("data-sima-live", "");
  } catch (error) {
    showFailure(place, "The interactive view", error);
  }
}

for (const report of document.querySelectorAll<HTMLElement>("[data-sima-report]:not([data-sima-seen])")) {
  void upgrade(report);
}
