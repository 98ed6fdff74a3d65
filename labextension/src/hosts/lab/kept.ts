/** What a document looked like, kept with the workspace: its tab, and what was chosen in its views. */
import type { IStateDB } from "@jupyterlab/statedb";
import type { ReadonlyPartialJSONValue } from "@lumino/coreutils";

import type { PageState, ViewState } from "../host.ts";

export interface KeptState {
  readonly tab: string | null;
  readonly view: Partial<ViewState & PageState>;
}

const NOTHING: KeptState = { tab: null, view: {} };
/** A drag of the timeline changes the range for every frame. */
const SETTLE_MS = 300;

const keyOf = (path: string) => `sima-nb:document:${path}`;

export class Kept {
  state: KeptState = NOTHING;
  private readonly states: IStateDB | null;
  private key: string;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(states: IStateDB | null, path: string) {
    this.states = states;
    this.key = keyOf(path);
  }

  /** The file has another name from now on, and what is kept of it too. */
  move(path: string): void {
    void this.states?.remove(this.key).catch(() => undefined);
    this.key = keyOf(path);
    this.save();
  }

  async load(): Promise<KeptState> {
    const found = (await this.states?.fetch(this.key).catch(() => undefined)) as Partial<KeptState> | undefined;
    this.state = { ...NOTHING, ...found };
    return this.state;
  }

  change(changed: Partial<KeptState>): void {
    this.state = { ...this.state, ...changed };
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), SETTLE_MS);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.save();
  }

  private save(): void {
    void this.states?.save(this.key, this.state as unknown as ReadonlyPartialJSONValue).catch(() => undefined);
  }
}
