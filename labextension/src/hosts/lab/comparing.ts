/** Two files side by side, as a tab of the application. */
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";

import { visible } from "../../model/text.ts";
import { element } from "../../views/elements.ts";
import { mountComparison } from "../../views/views.ts";
import type { Handle } from "../host.ts";
import { Refusal } from "./api.ts";
import type { Services } from "./services.ts";

export class ComparisonView extends Widget {
  readonly before: string;
  readonly after: string;
  private readonly services: Services;
  private readonly asking = new AbortController();
  private handle: Handle | null = null;

  constructor(services: Services, before: string, after: string) {
    super();
    this.addClass("sima-nb-document");
    this.services = services;
    this.before = before;
    this.after = after;
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.asking.abort();
    this.handle?.dispose();
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (!this.handle) void this.load();
  }

  private async load(): Promise<void> {
    const { api, localPath, trans } = this.services;
    this.say(trans.__("Reading both files …"), "status");
    try {
      const [before, after] = [this.before, this.after].map(path => localPath(path) ?? path);
      const parcel = await api.comparison(before ?? "", after ?? "", this.asking.signal);
      const [first, second] = parcel.views;
      if (this.isDisposed || !first || !second) return;
      this.node.replaceChildren();
      const { pairs, notes } = parcel;
      this.handle = mountComparison(this.node, { before: first, after: second, pairs, notes, over: 0 }, {});
    } catch (error) {
      if (!this.asking.signal.aborted) this.say(error instanceof Refusal ? error.sentence : String(error), "alert");
    }
  }

  private say(sentence: string, role: string): void {
    this.node.replaceChildren(element("p", { className: "sima-nb-says", role, textContent: visible(sentence) }));
  }
}
