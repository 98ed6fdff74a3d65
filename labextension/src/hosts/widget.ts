/**
 * The module that anywidget loads: `render` mounts a view and keeps its state and the Python traits the same.
 *
 * Traits: `view` (which view), `head` (JSON of the View) and `columns` (its bytes), the names of `ViewState`, and
 * `offers` (names of the host's actions). An action goes out as `{id, action, ...}` and is answered as `{id, ok, result}`.
 * Errors of the browser are shown below the view and told to Python as `{error}`.
 */
import { decode } from "../columns.ts";
import type { ViewFile } from "../contract.ts";
import { showFailure } from "../views/mounting.tsx";
import { VIEWS } from "../views/views.ts";
import type { Host, Preview, PreviewRequest, ViewState } from "./host.ts";

/** What we use of anywidget's model. */
export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown): void;
  on(event: string, handle: (...given: unknown[]) => void): void;
  off(event: string, handle: (...given: unknown[]) => void): void;
}

const TRAITS = ["selected", "filter", "range", "unit", "order", "colour"] as const;

interface Answer {
  readonly id: number;
  readonly ok: boolean;
  readonly result: unknown;
}

function isAnswer(message: unknown): message is Answer {
  return typeof message === "object" && message !== null && typeof (message as Answer).id === "number";
}

/** Asks the kernel and waits for the answer with the same number. */
function messenger(model: Model) {
  const waiting = new Map<number, (answer: Answer) => void>();
  let next = 1;
  const receive = (message: unknown): void => {
    if (!isAnswer(message)) return;
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
  };
  model.on("msg:custom", receive);
  const ask = <Result>(action: string, request: object): Promise<Result> =>
    new Promise((settle, fail) => {
      const id = next++;
      waiting.set(id, ({ ok, result }) => (ok ? settle(result as Result) : fail(new Error(String(result)))));
      model.send({ id, action, ...request });
    });
  return { ask, close: () => model.off("msg:custom", receive) };
}

function hostOf(model: Model, ask: ReturnType<typeof messenger>["ask"]): Host {
  const offers = new Set(model.get("offers") as readonly string[] | undefined);
  const state = Object.fromEntries(TRAITS.map(name => [name, model.get(name)])) as Partial<ViewState>;
  return {
    state,
    onState: changed => {
      for (const [name, value] of Object.entries(changed)) model.set(name, value);
      model.save_changes();
    },
    ...(offers.has("recompile") && { recompile: (batch: number) => ask<string>("recompile", { batch_size: batch }) }),
    ...(offers.has("simulate") && { simulate: () => ask<string>("simulate", {}) }),
    ...(offers.has("preview") && { preview: (request: PreviewRequest) => ask<Preview>("preview", request) }),
    ...(offers.has("extract") && { extract: (members: readonly string[]) => ask<string>("extract", { members }) }),
    ...(offers.has("open") && { open: (member: string) => ask<string>("open", { member }) }),
  };
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const { ask, close } = messenger(model);
  const releases: (() => void)[] = [close];
  const mountNow = (): void => {
    const name = String(model.get("view"));
    const mount = VIEWS[name];
    if (!mount) throw new Error(`This release has no view called ${name}.`);
    const data = decode(model.get("head") as ViewFile, model.get("columns") as DataView);
    const handle = mount(el, data, hostOf(model, ask));
    const follow = (): void => {
      handle.update(Object.fromEntries(TRAITS.map(trait => [trait, model.get(trait)])) as Partial<ViewState>);
    };
    for (const trait of TRAITS) model.on(`change:${trait}`, follow);
    releases.push(handle.dispose, () => {
      for (const trait of TRAITS) model.off(`change:${trait}`, follow);
    });
  };
  try {
    mountNow();
  } catch (error) {
    showFailure(el, "This widget", error);
    model.send({ error: String(error) });
  }
  return () => {
    for (const release of releases) release();
  };
}

export default { render };
