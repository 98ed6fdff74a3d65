/**
 * The module that anywidget loads: `render` mounts a view and keeps its state and the Python traits the same.
 *
 * Traits: `_view` (which view), `_head` (JSON text of a View's head), `_columns` (its bytes), `_offers` (what the kernel
 * answers), for a comparison `_other_head`, `_other_columns` and `_compared` (what Python says of the
 * two); and the names of `ViewState`. A request goes out as
 * `{id, ask, ...}`, and is answered by `{id, answer}` or `{id, error: {type, message, hint}}`. Errors of the browser are
 * shown where the view would be, and told to Python as `{ask: "failed", message}`.
 */
import { decode, type ViewData } from "../columns.ts";
import type { ViewFile } from "../contract.ts";
import type { Compared } from "../model/comparison.ts";
import { type Mounted, showFailure } from "../views/mounting.tsx";
import { mountComparison, VIEWS } from "../views/views.ts";
import type { Handle, Host, Preview, PreviewRequest, ViewState } from "./host.ts";

/** What we use of anywidget's model. */
export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown): void;
  on(event: string, handle: (...given: unknown[]) => void): void;
  off(event: string, handle: (...given: unknown[]) => void): void;
}

/** The head is set after the columns it points into: one change of it is one new View. */
const DATA = ["_head", "_other_head", "_offers"] as const;
const TRAITS = ["selected", "filter", "range", "unit", "order", "colour"] as const;

interface Answer {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: { readonly message?: string; readonly hint?: string | null };
}

function isAnswer(message: unknown): message is Answer {
  return typeof message === "object" && message !== null && typeof (message as Answer).id === "number";
}

type Ask = <Result>(ask: string, fields: object) => Promise<Result>;

/** Asks the kernel and waits for the answer with the same number. */
function messenger(model: Model): { readonly ask: Ask; readonly close: () => void } {
  const waiting = new Map<number, (answer: Answer) => void>();
  let next = 1;
  const receive = (message: unknown): void => {
    if (!isAnswer(message)) return;
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
  };
  model.on("msg:custom", receive);
  const ask: Ask = (name, fields) =>
    new Promise((settle, fail) => {
      const id = next++;
      waiting.set(id, ({ answer, error }) => {
        if (error) fail(new Error([error.message, error.hint].filter(Boolean).join(" ")));
        else settle(answer as never);
      });
      model.send({ id, ask: name, ...fields });
    });
  return { ask, close: () => model.off("msg:custom", receive) };
}

function hostOf(model: Model, ask: Ask): Host {
  const offers = new Set((model.get("_offers") ?? []) as readonly string[]);
  return {
    state: stateOf(model),
    onState: changed => {
      for (const [name, value] of Object.entries(changed)) model.set(name, value);
      model.save_changes();
    },
    ...(offers.has("recompile") && { recompile: (batch: number) => ask<string>("recompile", { batch }) }),
    ...(offers.has("simulate") && { simulate: () => ask<string>("simulate", {}) }),
    ...(offers.has("preview") && { preview: (request: PreviewRequest) => ask<Preview>("preview", request) }),
    ...(offers.has("extract") && { extract: (members: readonly string[]) => ask<string>("extract", { members }) }),
  };
}

/** The traits that this widget has: an archive tree has no order of layers. */
function stateOf(model: Model): Partial<ViewState> {
  const known = TRAITS.map(name => [name, model.get(name)] as const).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known) as Partial<ViewState>;
}

function dataOf(model: Model, prefix: string): ViewData {
  const head = JSON.parse(String(model.get(`${prefix}head`))) as ViewFile;
  return decode(head, (model.get(`${prefix}columns`) ?? undefined) as DataView | undefined);
}

function mountModel(model: Model, el: HTMLElement, ask: Ask): Handle {
  const name = String(model.get("_view"));
  const data = dataOf(model, "_");
  if (name === "comparison") {
    const compared = model.get("_compared") as Compared;
    return mountComparison(el, { ...compared, before: data, after: dataOf(model, "_other_") }, {});
  }
  const mount = VIEWS.get(name);
  if (!mount) throw new Error(`This release has no view called ${name}.`);
  return mount(el, data, hostOf(model, ask));
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const { ask, close } = messenger(model);
  let handle: Handle | null = null;
  let failure: Mounted | null = null;
  const fail = (error: unknown): void => {
    failure?.dispose();
    failure = showFailure(el, "This widget", error);
    model.send({ ask: "failed", message: String(error) });
  };
  const mountAgain = (): void => {
    failure?.dispose();
    handle?.dispose();
    failure = handle = null;
    el.replaceChildren();
    try {
      handle = mountModel(model, el, ask);
    } catch (error) {
      fail(error);
    }
  };
  const follow = (): void => {
    // What the host calls is caught by the host, and then only in its console.
    try {
      handle?.update(stateOf(model));
    } catch (error) {
      fail(error);
    }
  };
  mountAgain();
  for (const trait of TRAITS) model.on(`change:${trait}`, follow);
  for (const trait of DATA) model.on(`change:${trait}`, mountAgain);
  return () => {
    close();
    for (const trait of TRAITS) model.off(`change:${trait}`, follow);
    for (const trait of DATA) model.off(`change:${trait}`, mountAgain);
    failure?.dispose();
    handle?.dispose();
  };
}

export default { render };
