/** The details of what is selected in the document that was used last, as a panel of the side area. */
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";

import { visible } from "../../model/text.ts";
import lab from "../../styles/lab.css";
import { element } from "../../views/elements.ts";
import { addStyles } from "../../views/mounting.tsx";
import { mount } from "../../views/selection.tsx";
import type { Handle } from "../host.ts";
import type { Focus, Focused } from "./focus.ts";
import { detailsIcon } from "./icons.ts";
import type { Services } from "./services.ts";
import { offerShortcuts } from "./shortcuts.ts";

export class DetailsPanel extends Widget {
  private readonly services: Services;
  private readonly release: () => void;
  private readonly onClosed: () => void;
  private followed: Focused | null = null;
  private shown: readonly Focus[] = [];
  private handles: readonly Handle[] = [];

  /** `onClosed` is called instead of closing: a panel of the side area goes back there. */
  constructor(services: Services, onClosed: () => void) {
    super();
    this.services = services;
    this.onClosed = onClosed;
    this.id = "sima-nb-details";
    this.addClass("sima-nb-document");
    this.addClass("sima-nb-details");
    this.node.tabIndex = -1;
    this.title.icon = detailsIcon;
    this.title.caption = services.trans.__("Details of the SiMa selection");
    this.release = offerShortcuts(this.node);
  }

  /** Follow a document from now on, or none. */
  follow(view: Focused | null): void {
    if (view === this.followed) return;
    this.followed?.focusChanged.disconnect(this.refresh, this);
    this.followed = view;
    view?.focusChanged.connect(this.refresh, this);
    this.refresh();
  }

  /** Puts the keyboard into the details. */
  focus(): void {
    (this.node.querySelector<HTMLElement>(".sima-details") ?? this.node).focus({ preventScroll: true });
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.release();
    this.follow(null);
    for (const handle of this.handles) handle.dispose();
    super.dispose();
  }

  protected override onCloseRequest(): void {
    this.onClosed();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.refresh();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    addStyles(this.node, "lab", lab);
    this.refresh();
  }

  /** Nothing is made while nobody sees it: the columns of a large profile take a while. */
  private refresh(): void {
    if (!this.isVisible) return;
    const focus = this.followed?.focus ?? [];
    const isShown = focus.length > 0 && focus.length === this.shown.length;
    if (isShown && focus.every(({ data }, at) => data === this.shown[at]?.data)) {
      for (const [at, { state }] of focus.entries()) this.handles[at]?.update(state);
      return;
    }
    for (const handle of this.handles) handle.dispose();
    this.shown = focus;
    this.node.replaceChildren();
    if (!focus.length) this.head("");
    this.handles = focus.map(({ path, data, state }) => {
      this.head(path);
      return mount(this.node, data, { words: this.services.trans, state });
    });
  }

  /** Which file the details below are of, or how to come by some. */
  private head(path: string): void {
    const { trans } = this.services;
    const text = path ? visible(path) : trans.__("Open an archive or statistics, and select a layer in its Gantt.");
    this.node.append(element("p", { className: "sima-nb-says", role: "status", textContent: text }));
  }
}
