/**
 * One file as a document of the application: asks the server what it is, shows it, and asks again when it changes.
 */
import { PathExt } from "@jupyterlab/coreutils";
import type { DocumentRegistry } from "@jupyterlab/docregistry";
import type { Message } from "@lumino/messaging";
import { type ISignal, Signal } from "@lumino/signaling";
import { Widget } from "@lumino/widgets";

import { createStore, type Store } from "../../model/store.ts";
import lab from "../../styles/lab.css";
import parts from "../../styles/parts.css";
import { element } from "../../views/elements.ts";
import { addStyles, type Mounted, mountView } from "../../views/mounting.tsx";
import type { Host, PageState as OwnState, ViewState } from "../host.ts";
import { Refusal } from "./api.ts";
import { type Asked, takeAsked } from "./asked.ts";
import type { Focus, Focused } from "./focus.ts";
import { ModelPage } from "./form.tsx";
import { Kept } from "./kept.ts";
import { COMMANDS } from "./names.ts";
import { createPage, Page, type PageState, tabsOf } from "./page.tsx";
import type { Services } from "./services.ts";
import { offerShortcuts } from "./shortcuts.ts";
import { type Watching, watchFile } from "./watching.ts";

export class FileView extends Widget implements Focused {
  private readonly services: Services;
  private readonly context: DocumentRegistry.Context;
  private readonly store: Store<PageState> = createPage();
  private readonly kept: Kept;
  private readonly asked: Store<Asked>;
  private readonly watching: Watching;
  private mounted: Mounted | null = null;
  private asking: AbortController | null = null;
  private readonly release: () => void;
  private readonly _focusChanged = new Signal<this, void>(this);

  constructor(services: Services, context: DocumentRegistry.Context) {
    super();
    this.addClass("sima-nb-document");
    this.services = services;
    this.context = context;
    this.asked = createStore<Asked>(takeAsked(context.path));
    this.kept = new Kept(services.states, context.path);
    this.watching = watchFile(
      () => services.settings.values.reloadSeconds,
      () => this.isVisible,
      () => this.look(),
    );
    this.release = offerShortcuts(this.node);
    context.fileChanged.connect(this.onFileChanged, this);
    context.pathChanged.connect(this.onPathChanged, this);
    void this.begin();
  }

  /** What panels beside the document show of it. */
  get focus(): readonly Focus[] {
    const data = this.store.get().parcel?.views[0];
    return data ? [{ path: this.context.path, data, state: this.viewState }] : [];
  }

  get focusChanged(): ISignal<this, void> {
    return this._focusChanged;
  }

  /** Read the file again, whether it changed or not. */
  async reload(): Promise<void> {
    const { trans } = this.services;
    await this.read();
    if (this.store.get().parcel) this.store.set({ news: trans.__("Read again.") });
  }

  /** Hand the report to the browser as one offline page; what goes wrong is said in the document. */
  async savePage(): Promise<void> {
    const { api } = this.services;
    try {
      const page = await api.page(this.path ?? "");
      const link = element("a", { attributes: { download: `${PathExt.basename(this.context.path)}.html` } });
      link.href = URL.createObjectURL(page);
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (error) {
      this.store.set({ news: error instanceof Refusal ? error.sentence : String(error) });
    }
  }

  /** Fill in what somebody asked for elsewhere, in the form of a model. */
  prefill(asked: Asked): void {
    this.asked.set(asked);
  }

  /** Choose the tab that stands `by` behind the present one. */
  moveTab(by: number): void {
    const tabs = tabsOf(this.store.get().parcel?.kind ?? "");
    const at = tabs.indexOf(this.store.get().tab);
    const next = tabs[(at + by + tabs.length) % tabs.length];
    if (next) this.choose(next);
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.release();
    Signal.clearData(this);
    this.watching.dispose();
    this.asking?.abort();
    this.kept.dispose();
    this.mounted?.dispose();
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.mounted) return;
    const { trans } = this.services;
    addStyles(this.node, "parts", parts);
    const content = () => (
      <Page
        store={this.store}
        trans={trans}
        host={() => this.host()}
        model={() => <ModelPage services={this.services} path={this.path ?? ""} asked={this.asked} />}
        onChoose={tab => this.choose(tab)}
        onRetry={() => void this.reload()}
        onEditor={() => this.openEditor()}
      />
    );
    this.mounted = mountView(this.node, trans.__("SiMa viewer"), content, { styles: lab, name: "lab", words: trans });
  }

  private async begin(): Promise<void> {
    await this.kept.load();
    await this.read();
  }

  private get path(): string | null {
    return this.services.localPath(this.context.path);
  }

  private async read(): Promise<void> {
    const { api, trans } = this.services;
    const { path } = this;
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    try {
      if (path === null)
        throw elsewhere(trans.__("This file lies on a drive that the server does not serve from a folder."));
      const parcel = await api.view(path, asking.signal);
      if (asking.signal.aborted) return;
      const tabs = tabsOf(parcel.kind);
      const tab = [this.store.get().tab, this.kept.state.tab].find(one => one && tabs.includes(one)) || (tabs[0] ?? "");
      const { seen } = this.store.get();
      this.store.set({ parcel, refusal: null, tab, seen: [...new Set([...seen, tab])] });
      this._focusChanged.emit();
    } catch (error) {
      if (asking.signal.aborted) return;
      this.failed(error instanceof Refusal ? error : new Refusal("Error", String(error), "", 0));
    }
  }

  /** A document that is shown already stays, with a word about what happened to its file. */
  private failed(refusal: Refusal): void {
    if (this.store.get().parcel) this.store.set({ news: refusal.sentence });
    else this.store.set({ refusal });
  }

  private async look(): Promise<void> {
    const { path } = this;
    const { parcel } = this.store.get();
    if (path === null || !parcel) return;
    const identity = await this.services.api.identity(path);
    if (identity === null) {
      this.store.set({ news: this.services.trans.__("The file is gone; what is shown is how it was.") });
    } else if (identity !== parcel.identity) {
      await this.reload();
    }
  }

  private onFileChanged(): void {
    void this.look().catch(() => undefined);
  }

  private onPathChanged(_sender: unknown, path: string): void {
    this.kept.move(path);
    this._focusChanged.emit();
  }

  private choose(tab: string): void {
    this.store.set({ tab, seen: [...new Set([...this.store.get().seen, tab])] });
    this.kept.change({ tab });
  }

  private host(): Host {
    const { api, trans } = this.services;
    const path = this.path ?? "";
    return {
      words: trans,
      state: this.viewState,
      onState: changed => {
        this.kept.change({ view: { ...this.kept.state.view, ...changed } });
        this._focusChanged.emit();
      },
      onPage: changed => this.kept.change({ view: { ...this.kept.state.view, ...changed } }),
      ...(this.store.get().parcel?.kind === "archive" && {
        preview: request => api.preview(path, request),
        recompile: async batch_size =>
          String(await this.services.commands.execute(COMMANDS.recompile, { path, batch_size })),
        extract: async members => {
          const { files, folder } = await api.extract(path, members);
          return trans._n("%1 file extracted into %2", "%1 files extracted into %2", files.length, folder);
        },
      }),
    };
  }

  /** What the views begin with: the settings, and over them what was left in the workspace. */
  private get viewState(): Partial<ViewState & OwnState> {
    const { unit, order, colour } = this.services.settings.values;
    return { unit, order, colour, ...this.kept.state.view };
  }

  private openEditor(): void {
    void this.services.commands.execute("docmanager:open", { path: this.context.path, factory: "Editor" });
  }
}

function elsewhere(sentence: string): Refusal {
  return new Refusal("NotLocalError", sentence, "", 501);
}
