/** Two files side by side, as a tab of the application. */
import type { Message } from "@lumino/messaging";
import { type ISignal, Signal } from "@lumino/signaling";
import { Widget } from "@lumino/widgets";

import type { ViewData } from "../../columns.ts";
import { visible } from "../../model/text.ts";
import lab from "../../styles/lab.css";
import { element } from "../../views/elements.ts";
import { addStyles } from "../../views/mounting.tsx";
import { mountComparison } from "../../views/views.ts";
import type { Handle } from "../host.ts";
import { Refusal } from "./api.ts";
import type { Focus, Focused } from "./focus.ts";
import type { Services } from "./services.ts";
import { offerShortcuts } from "./shortcuts.ts";
import { type Watching, watchFile } from "./watching.ts";

export class ComparisonView extends Widget implements Focused {
  readonly before: string;
  readonly after: string;
  private readonly services: Services;
  private readonly asking = new AbortController();
  private readonly release: () => void;
  private readonly watching: Watching;
  private handle: Handle | null = null;
  /** Identities of the two files as they are shown. */
  private identity = "";
  private _focus: readonly Focus[] = [];
  private readonly _focusChanged = new Signal<this, void>(this);

  constructor(services: Services, before: string, after: string) {
    super();
    this.addClass("sima-nb-document");
    this.addClass("sima-nb-comparison");
    this.services = services;
    this.release = offerShortcuts(this.node);
    this.before = before;
    this.after = after;
    this.watching = watchFile(
      () => services.settings.values.reloadSeconds,
      () => this.isVisible,
      () => this.look(),
    );
  }

  /** Both sides with the layer that is chosen in each. */
  get focus(): readonly Focus[] {
    return this._focus;
  }

  get focusChanged(): ISignal<this, void> {
    return this._focusChanged;
  }

  override dispose(): void {
    if (this.isDisposed) return;
    Signal.clearData(this);
    this.release();
    this.watching.dispose();
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
    const { api, trans } = this.services;
    if (!this.handle) this.say(trans.__("Reading both files …"), "status");
    try {
      const [before, after] = this.paths;
      const parcel = await api.comparison(before ?? "", after ?? "", this.asking.signal);
      const [first, second] = parcel.views;
      if (this.isDisposed || !first || !second || !parcel.compared) return;
      this.identity = parcel.identity;
      this.handle?.dispose();
      this.node.replaceChildren();
      const host = { words: trans, onPair: (...ids: (number | null)[]) => this.focusOn([first, second], ids) };
      this.handle = mountComparison(this.node, { ...parcel.compared, before: first, after: second }, host);
      host.onPair(null, null);
    } catch (error) {
      // What was shown stays, and the next look tries again: a file that is being written cannot be read.
      if (!this.asking.signal.aborted && !this.handle)
        this.say(error instanceof Refusal ? error.sentence : String(error), "alert");
    }
  }

  private focusOn(views: readonly ViewData[], ids: readonly (number | null)[]): void {
    this._focus = views.map((data, at) => {
      const id = ids[at] ?? null;
      return { path: this.paths[at] ?? "", data, state: { selected: id === null ? [] : [id] } };
    });
    this._focusChanged.emit();
  }

  private get paths(): readonly string[] {
    return [this.before, this.after].map(path => this.services.localPath(path) ?? path);
  }

  /** Read both again when one of them has changed; while one is gone, what was shown stays. */
  private async look(): Promise<void> {
    if (!this.handle) return;
    const found = await Promise.all(this.paths.map(path => this.services.api.identity(path)));
    if (found.every(one => one !== null) && found.join(" ") !== this.identity) await this.load();
  }

  private say(sentence: string, role: string): void {
    this.node.replaceChildren(element("p", { className: "sima-nb-says", role, textContent: visible(sentence) }));
  }
}
