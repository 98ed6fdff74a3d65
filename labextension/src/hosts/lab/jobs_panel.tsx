/** All jobs of the server, as a tab of the application. */
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";

import lab from "../../styles/lab.css";
import parts from "../../styles/parts.css";
import { addStyles, type Mounted, mountView } from "../../views/mounting.tsx";
import { JobList } from "./job_list.tsx";
import type { Services } from "./services.ts";
import { offerShortcuts } from "./shortcuts.ts";

export class JobsPanel extends Widget {
  private readonly services: Services;
  private readonly release: () => void;
  private mounted: Mounted | null = null;

  constructor(services: Services) {
    super();
    this.addClass("sima-nb-document");
    this.addClass("sima-nb-comparison");
    this.services = services;
    this.release = offerShortcuts(this.node);
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.release();
    this.mounted?.dispose();
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    addStyles(this.node, "parts", parts);
    const label = this.services.trans.__("Compiles");
    this.mounted ??= mountView(this.node, label, () => <JobList services={this.services} />, {
      styles: lab,
      name: "lab",
      words: this.services.trans,
    });
  }
}
