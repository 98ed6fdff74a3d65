/**
 * One output of ours in a notebook: the data that was saved with it, and the live widget in its place while the kernel has it.
 *
 * The data is mounted at once, so something is always there: on a fresh kernel, without one, untrusted, after a
 * restart. A trusted output then looks for its live widget and swaps; it swaps back when the kernel goes.
 */
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import type { Kernel } from "@jupyterlab/services";
import type { Message } from "@lumino/messaging";
import { Panel, Widget } from "@lumino/widgets";

import { mountSaved, type SavedView, type Unmount } from "../saved.ts";
import { liveWidget } from "./live.ts";
import { type Surroundings, surroundings } from "./panel.ts";

export const MIME_TYPE = "application/vnd.sima-nb.view+json";

export class ViewOutput extends Panel implements IRenderMime.IRenderer {
  private saved: SavedView | null = null;
  /** The same output as HTML, which may hold the data. */
  private html = "";
  private trusted = false;
  private around: Surroundings | null = null;
  private unmount: Unmount | null = null;
  private live: Widget | null = null;
  /** Counts attempts, so that an answer that arrives after a newer attempt began is dropped. */
  private attempt = 0;

  constructor() {
    super();
    this.addClass("sima-nb-output");
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.saved = model.data[MIME_TYPE] as unknown as SavedView;
    const html = model.data["text/html"];
    this.html = Array.isArray(html) ? html.join("") : String(html ?? "");
    this.trusted = model.trusted;
    this.showData();
    if (this.isAttached) {
      this.watch();
    }
    return Promise.resolve();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.unwatch();
      this.unmount?.();
      super.dispose();
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.watch();
  }

  protected override onBeforeDetach(message: Message): void {
    this.unwatch();
    super.onBeforeDetach(message);
  }

  private watch(): void {
    if (this.around === null) {
      this.around = surroundings(this);
      this.around?.session.kernelChanged.connect(this.onKernelChanged, this);
      this.around?.session.statusChanged.connect(this.onStatusChanged, this);
    }
    void this.goLive();
  }

  private unwatch(): void {
    this.attempt += 1;
    this.around?.session.kernelChanged.disconnect(this.onKernelChanged, this);
    this.around?.session.statusChanged.disconnect(this.onStatusChanged, this);
    this.around = null;
  }

  private onKernelChanged(): void {
    this.showData();
    void this.goLive();
  }

  private onStatusChanged(_sender: unknown, status: Kernel.Status): void {
    if (status === "restarting" || status === "autorestarting" || status === "dead") {
      this.showData();
    }
  }

  private async goLive(): Promise<void> {
    const modelId = this.saved?.model_id ?? null;
    if (modelId === null || !this.trusted || this.around === null || this.live !== null) {
      return;
    }
    const attempt = ++this.attempt;
    const found = await liveWidget(this.around, modelId).catch(() => null);
    if (found === null) {
      return;
    }
    if (attempt !== this.attempt || this.isDisposed) {
      found.dispose();
      return;
    }
    this.showLive(found);
  }

  private showLive(found: Widget): void {
    this.clear();
    this.live = found;
    this.node.dataset["simaLive"] = "true";
    found.disposed.connect(this.onLiveDisposed, this);
    this.addWidget(found);
    // A closed widget disposes its view and leaves an empty renderer behind.
    (found as Panel).widgets?.[0]?.disposed.connect(this.onLiveDisposed, this);
  }

  private onLiveDisposed(): void {
    if (this.live !== null && !this.isDisposed) {
      this.showData();
    }
  }

  private showData(): void {
    this.attempt += 1;
    this.clear();
    this.node.dataset["simaLive"] = "false";
    if (this.saved !== null) {
      const holder = new Widget();
      this.addWidget(holder);
      this.unmount = mountSaved(holder.node, this.saved, this.html);
    }
  }

  private clear(): void {
    this.unmount?.();
    this.unmount = null;
    const { live } = this;
    this.live = null;
    for (const child of [...this.widgets]) {
      child.dispose();
    }
    live?.dispose();
  }
}
