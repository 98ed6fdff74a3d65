/**
 * Upgrades static pages in place: the offline page, and the report that a notebook keeps.
 *
 * A page holds `[data-sima-report]` elements. In each, `<script type="application/json" data-sima-view>` carries a View, and
 * every `[data-sima-upgrade="explorer | archive | batch"]` holds the static form of one part. The live view is put
 * behind the static form, which the page's own style sheet then hides on screen (`[data-sima-live]`) and keeps for print.
 * Without this script, or when it fails, the static form is what is seen.
 */
import { decode, type ViewData } from "../columns.ts";
import type { ViewFile } from "../contract.ts";
import { showFailure } from "../views/mounting.tsx";
import { VIEWS } from "../views/views.ts";

function upgrade(report: Element): void {
  report.setAttribute("data-sima-seen", "");
  let data: ViewData;
  try {
    const text = report.querySelector("script[data-sima-view]")?.textContent;
    if (!text) return;
    data = decode(JSON.parse(text) as ViewFile);
  } catch (error) {
    showFailure(report as HTMLElement, "The interactive view", error);
    return;
  }
  for (const place of report.querySelectorAll<HTMLElement>("[data-sima-upgrade]")) {
    const mount = VIEWS[place.dataset["simaUpgrade"] ?? ""];
    if (!mount) continue;
    try {
      mount(place, data, {});
      place.setAttribute("data-sima-live", "");
    } catch (error) {
      showFailure(place, "The interactive view", error);
    }
  }
}

for (const report of document.querySelectorAll("[data-sima-report]:not([data-sima-seen])")) upgrade(report);
