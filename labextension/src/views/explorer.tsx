/**
 * The explorer: timeline, table, memory map, details and causes over one state.
 *
 * `mount` puts it into an element. What the host sets comes through `update`; what the person changes goes out through
 * `host.onState`, and an echo of it changes nothing.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ViewData } from "../columns.ts";
import type { Handle, Host, PageState, ViewState } from "../hosts/host.ts";
import {
  createExplorerStore,
  type Derived,
  derive,
  type ExplorerState,
  OWN,
  SHARED,
  understood,
} from "../model/explorer_state.ts";
import { profileOf } from "../model/profile.ts";
import type { Store } from "../model/store.ts";
import { visible } from "../model/text.ts";
import { ENGLISH } from "../model/words.ts";
import { WhereCyclesGo } from "./causes.tsx";
import { Controls, Legend, stepsOf, TimelineControls } from "./controls.tsx";
import { Details, sentenceOf } from "./details.tsx";
import { Findings } from "./findings.tsx";
import { Memory } from "./memory.tsx";
import { mountView } from "./mounting.tsx";
import { useWords } from "./reading.ts";
import { LayerTable } from "./table.tsx";
import { createTimeline, type Timeline } from "./timeline.ts";
import { Action, Section, useStore } from "./ui.tsx";

export function mount(element: HTMLElement, data: ViewData, host: Host): Handle {
  const { words = ENGLISH } = host;
  const store = createExplorerStore(host.state);
  const outward = Symbol("set by the host");
  store.watch((state, changed, origin) => {
    if (origin !== outward) tell(host, state, changed);
  });
  const content = () => <Explorer data={data} store={store} host={host} />;
  const mounted = mountView(element, words.__("Profile"), content, { words });
  return {
    update: patch => store.set(understood({ ...patch }), outward),
    dispose: () => {
      store.clear();
      mounted.dispose();
    },
  };
}

function tell(host: Host, state: ExplorerState, changed: ReadonlySet<keyof ExplorerState>): void {
  const news = (names: readonly (keyof ExplorerState)[]) =>
    Object.fromEntries(names.filter(name => changed.has(name)).map(name => [name, state[name]]));
  const [shared, own] = [news(SHARED), news(OWN)];
  if (Object.keys(shared).length) host.onState?.(shared as Partial<ViewState>);
  if (Object.keys(own).length) host.onPage?.(own as Partial<PageState>);
}

function Explorer({ data, store, host }: { data: ViewData; store: Store<ExplorerState>; host: Host }) {
  const words = useWords();
  const derived = useMemo(() => derive(profileOf(data, words), store, words), [data, store, words]);
  const steps = useMemo(() => stepsOf(derived), [derived]);
  const timeline = useRef<Timeline | null>(null);
  const [spoken, announce] = useState("");
  const printing = usePrinting();
  const { profile } = derived;
  const { wordings } = profile.view;
  return (
    <>
      <Controls derived={derived} steps={steps} />
      <Legend derived={derived} />
      <Status derived={derived} spoken={spoken} />
      {profile.lanes.length > 0 ? (
        <>
          <TimelineControls derived={derived} zoom={move => timeline.current?.zoom(move)} />
          <TimelineHolder derived={derived} announce={announce} keep={found => (timeline.current = found)} />
          <Lanes derived={derived} />
        </>
      ) : (
        <p class="sima-note">{wordings["no_stats"]}</p>
      )}
      <Later>
        {() => (
          <>
            {" "}
            <div class="sima-columns">
              <Section title={words.__("Layers")}>
                <LayerTable derived={derived} printing={printing} />
              </Section>
              <Details
                derived={derived}
                copy={text => navigator.clipboard.writeText(text)}
                hint={words.__("Select a layer in the timeline, the table or the memory map.")}
              />
            </div>
            <Whole derived={derived} />
            <Findings
              findings={profile.view.findings ?? []}
              layers={profile.layers}
              onShow={ids => store.set({ selected: ids })}
            />
            <Memory derived={derived} />
          </>
        )}
      </Later>
      {host.simulate && <Action label={words.__("Simulate")} run={host.simulate} />}
      {profile.missing.map(sentence => (
        <p class="sima-note" key={sentence}>
          {visible(sentence)}
        </p>
      ))}
    </>
  );
}

/** The count of what is shown, said aloud when it changes. */
function Status({ derived, spoken }: { derived: Derived; spoken: string }) {
  useStore(derived.store);
  return (
    <div class="sima-status">
      <p role="status" class="sima-count">
        {sentenceOf(derived)}
      </p>
      {derived.profile.view.left_out.map(sentence => (
        <p class="sima-note" key={sentence}>
          {visible(sentence)}
        </p>
      ))}
      <p class="sima-unseen" aria-live="polite">
        {spoken}
      </p>
    </div>
  );
}

function TimelineHolder(props: {
  derived: Derived;
  announce: (text: string) => void;
  keep: (found: Timeline | null) => void;
}) {
  const holder = useRef<HTMLDivElement>(null);
  // Before the browser lays out for the first time: its first frame has the bars.
  useLayoutEffect(() => {
    const made = createTimeline(props.derived, props.announce);
    holder.current?.append(made.element);
    props.keep(made);
    return () => {
      props.keep(null);
      made.dispose();
    };
  }, [props.derived]);
  return <div ref={holder} />;
}

function Lanes({ derived }: { derived: Derived }) {
  const { lanes } = derived.profile;
  const notes = lanes.filter(lane => lane.note).map(lane => `${lane.label}: ${lane.note}`);
  return <p class="sima-note">{notes.join("; ")}</p>;
}

/** Where the whole run's cycles went, in the unit that is chosen. */
function Whole({ derived }: { derived: Derived }) {
  const { unit } = useStore(derived.store);
  return <WhereCyclesGo view={derived.profile.view} unit={unit} />;
}

/** What is below the timeline comes in the frame after the first, so that the bars are there sooner. */
function Later({ children }: { children: () => ComponentChildren }) {
  const [ready, setReady] = useState(false);
  useEffect(() => setReady(true), []);
  return <>{ready && children()}</>;
}

function usePrinting(): boolean {
  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    const query = matchMedia("print");
    const changed = () => setPrinting(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  return printing;
}
