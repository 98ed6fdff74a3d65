/** What every part of the extension is given: there are no globals. */
import type { IStateDB } from "@jupyterlab/statedb";
import type { TranslationBundle } from "@jupyterlab/translation";
import type { CommandRegistry } from "@lumino/commands";

import type { Api } from "./api.ts";
import type { Settings } from "./settings.ts";
import type { JobsWatch } from "./watch_jobs.ts";

export interface Services {
  readonly api: Api;
  readonly jobs: JobsWatch;
  readonly settings: Settings;
  readonly trans: TranslationBundle;
  readonly commands: CommandRegistry;
  /** Keeps what a workspace restores; null in applications without one. */
  readonly states: IStateDB | null;
  /** The part of a path that this server knows, or null where another drive has the file. */
  readonly localPath: (path: string) => string | null;
}
