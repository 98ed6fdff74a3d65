/** What a document shows: tabs of views, a sentence about a file of another kind, or why nothing can be shown. */
import type { TranslationBundle } from "@jupyterlab/translation";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

import { createStore, type Store } from "../../model/store.ts";
import { visible } from "../../model/text.ts";
import type { Parcel } from "../../parcel.ts";
import { Button, useStore } from "../../views/ui.tsx";
import { VIEWS } from "../../views/views.ts";
import type { Handle, Host } from "../host.ts";
import type { Refusal } from "./api.ts";
import { type Tab, Tabs } from "./tabs.tsx";

export interface PageState {
  readonly parcel: Parcel | null;
  readonly refusal: Refusal | null;
  readonly tab: string;
  readonly seen: readonly string[];
  /** What happened last, said aloud: the file was read again, or is gone. */
  readonly news: string;
}

export const createPage = (): Store<PageState> =>
  createStore<PageState>({ parcel: null, refusal: null, tab: "", seen: [], news: "" });

export interface PageProps {
  readonly store: Store<PageState>;
  readonly trans: TranslationBundle;
  readonly host: () => Host;
  /** What is shown of a model. */
  readonly model: () => ComponentChildren;
  readonly onChoose: (tab: string) => void;
  readonly onRetry: () => void;
  readonly onEditor: () => void;
}

/** Tabs by kind of file: the key of a view, in the order in which they stand. */
const TABS: Readonly<Record<string, readonly string[]>> = {
  archive: ["summary", "explorer", "archive", "batch"],
  stats: ["summary", "explorer"],
  pipeline: ["summary", "archive"],
};

/** The tabs of a kind of file; the first is the one to begin with. */
export function tabsOf(kind: string): readonly string[] {
  return TABS[kind] ?? [];
}

function labelOf(key: string, trans: TranslationBundle): string {
  const labels: Readonly<Record<string, string>> = {
    summary: trans.__("Report"),
    explorer: trans.__("Gantt"),
    archive: trans.__("Archive"),
    batch: trans.__("Batch"),
  };
  return labels[key] ?? key;
}

export function Page(props: PageProps) {
  const { store, trans } = props;
  const { parcel, refusal, news } = useStore(store);
  return (
    <>
      <p class="sima-news" role="status">
        {news}
      </p>
      {parcel ? (
        <Shown {...props} parcel={parcel} />
      ) : refusal ? (
        <Refused refusal={refusal} trans={trans} onRetry={props.onRetry} />
      ) : (
        <p class="sima-note">{trans.__("Reading the file …")}</p>
      )}
    </>
  );
}

function Shown(props: PageProps & { parcel: Parcel }) {
  const { parcel, store, trans, onChoose } = props;
  const { tab, seen } = useStore(store);
  if (parcel.kind === "model") return <>{props.model()}</>;
  const keys = tabsOf(parcel.kind);
  if (keys.length === 0) return <Other {...props} />;
  const tabs = keys.map(
    (key): Tab => ({ key, label: labelOf(key, trans), content: () => <View {...props} view={key} /> }),
  );
  return <Tabs label={trans.__("Views")} tabs={tabs} chosen={tab} seen={seen} onChoose={onChoose} />;
}

/** One of the views, mounted anew when the file was read again. */
function View({ parcel, host, view }: PageProps & { parcel: Parcel; view: string }) {
  const holder = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const mount = VIEWS.get(view);
    const [data] = parcel.views;
    let handle: Handle | null = null;
    if (mount && data && holder.current) handle = mount(holder.current, data, host());
    return () => handle?.dispose();
  }, [parcel, view]);
  return <div ref={holder} data-view={view} />;
}

function Other({ parcel, trans, onEditor }: PageProps & { parcel: Parcel }) {
  return (
    <div class="sima-action">
      <p class="sima-lead">{visible(parcel.sentence)}</p>
      {parcel.hint && <p class="sima-note">{visible(parcel.hint)}</p>}
      <Button onClick={onEditor}>{trans.__("Open in the text editor")}</Button>
    </div>
  );
}

function Refused({ refusal, trans, onRetry }: { refusal: Refusal; trans: TranslationBundle; onRetry: () => void }) {
  return (
    <div class="sima-action">
      <p class={refusal.status === 501 ? "sima-lead" : "sima-error"} role="alert">
        {visible(refusal.message)}
      </p>
      {refusal.hint && <p class="sima-note">{visible(refusal.hint)}</p>}
      <Button onClick={onRetry}>{trans.__("Try again")}</Button>
    </div>
  );
}
