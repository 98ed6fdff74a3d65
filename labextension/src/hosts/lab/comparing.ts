/** Two files side by side, as a tab of the application. */
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";

import { visible } from "../../model/text.ts";
import lab from "../../styles/lab.css";
import { element } from "../../views/elements.ts";
import { addStyles } from "../../views/mounting.tsx";
import { mountComparison } from "../../views/views.ts";
import type { Handle } from "../host.ts";
import { Refusal } from "./api.ts";
import type { Services } from "./services.ts";
import { offerShortcuts } from "./shortcuts.ts";

export class ComparisonView extends Widget {
  readonly before: string;
  readonly after: string;
  private readonly services: Services;
  private readonly asking = new AbortController();
  private readonly release: () => void;
  private handle: Handle | null = null;

  constructor(services: Services, before: string, after: string) {
    super();
    this.addClass("sima-nb-document");
    this.addClass("sima-nb-comparison");
    this.services = services;
    this.release = offerShortcuts(this.node);
    this.before = before;
    this.after = after;
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.release();
    this.asking.abort();
    this.handle?.dispose();
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    addStyles(this.node, "lab", lab);
    if (!this.handle) void this.load();
  }

  private async load(): Promise<void> {
    const { api, localPath, trans } = this.services;
    this.say(trans.__("Reading both files …"), "status");
    try {
      const [before, after] = [this.before, this.after].map(path => localPath(path) ?? path);
      const parcel = await api.comparison(before ?? "", after ?? "", this.asking.signal);
      const [first, second] = parcel.views;
      if (this.isDisposed || !first || !second || !parcel.compared) return;
      this.node.replaceChildren();
      this.handle = mountComparison(this.node, { ...parcel.compared, before: first, after: second }, { words: trans });
    } catch (error) {
      if (!this.asking.signal.aborted) this.say(error instanceof Refusal ? error.sentence : String(error), "alert");
    }
  }

  private say(sentence: string, role: string): void {
    this.node.replaceChildren(element("p", { className: "sima-nb-says", role, textContent: visible(sentence) }));
  }
}
