/** The details of what is selected in the document that was used last, as a panel of the side area. */
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";

import { visible } from "../../model/text.ts";
import lab from "../../styles/lab.css";
import { element } from "../../views/elements.ts";
import { addStyles } from "../../views/mounting.tsx";
import { mount } from "../../views/selection.tsx";
import type { Handle } from "../host.ts";
import type { FileView } from "./document.tsx";
import { detailsIcon } from "./icons.ts";
import type { Services } from "./services.ts";
import { offerShortcuts } from "./shortcuts.ts";

export class DetailsPanel extends Widget {
  private readonly services: Services;
  private readonly release: () => void;
  private readonly onClosed: () => void;
  private followed: FileView | null = null;
  private shown: unknown = null;
  private handle: Handle | null = null;

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
  follow(view: FileView | null): void {
    if (view === this.followed) return;
    this.followed?.focusChanged.disconnect(this.refresh, this);
    this.followed = view;
    view?.focusChanged.connect(this.refresh, this);
    this.refresh();
  }

  /** Puts the keyboard into the details. */
  focus(): void {
    (this.node.querySelector<HTMLElement>(".sima-details") ?? this.node).focus();
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.release();
    this.follow(null);
    this.handle?.dispose();
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
    const focus = this.followed?.focus ?? null;
    if (focus?.data && focus.data === this.shown) {
      this.handle?.update(focus.state);
      return;
    }
    this.handle?.dispose();
    this.handle = null;
    this.shown = focus?.data ?? null;
    this.node.replaceChildren(this.heading(focus?.data ? focus.path : ""));
    if (focus?.data) {
      this.handle = mount(this.node, focus.data, { words: this.services.trans, state: focus.state });
    }
  }

  private heading(path: string): HTMLElement {
    const { trans } = this.services;
    const text = path ? visible(path) : trans.__("Open an archive or statistics, and select a layer in its Gantt.");
    return element("p", { className: "sima-nb-says", role: "status", textContent: text });
  }
}
