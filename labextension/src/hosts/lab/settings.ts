/** The settings, typed; what the user has not set is the default that the schema names. */
import type { ISettingRegistry } from "@jupyterlab/settingregistry";
import { type ISignal, Signal } from "@lumino/signaling";

import type { ViewState } from "../host.ts";

export interface CompileDefaults {
  readonly batch_size: number;
  readonly compress: boolean;
  /** 0: all that the machine has. */
  readonly quads: number;
  readonly machine: string;
  /** Relative to the model's folder. */
  readonly output_path: string;
  readonly calibration_random: number;
}

export interface Values {
  /** Seconds between two looks at a file on disk; 0: never. */
  readonly reloadSeconds: number;
  readonly unit: ViewState["unit"];
  readonly order: ViewState["order"];
  readonly colour: ViewState["colour"];
  readonly openResult: boolean;
  readonly logLines: number;
  readonly compile: CompileDefaults;
}

export const DEFAULTS: Values = {
  reloadSeconds: 3,
  unit: "cycles",
  order: "timeline",
  colour: "kind",
  openResult: true,
  logLines: 2000,
  compile: {
    batch_size: 1,
    compress: true,
    quads: 0,
    machine: "mlsoc",
    output_path: ".",
    calibration_random: 8,
  },
};

export class Settings {
  values: Values = DEFAULTS;
  private readonly _changed = new Signal<this, Values>(this);

  get changed(): ISignal<this, Values> {
    return this._changed;
  }

  /** Follow what the registry holds; without one the defaults stay. */
  async follow(registry: ISettingRegistry | null, plugin: string): Promise<void> {
    const found = await registry?.load(plugin);
    if (!found) return;
    const take = () => {
      const set = found.composite as unknown as Partial<Values>;
      this.values = { ...DEFAULTS, ...set, compile: { ...DEFAULTS.compile, ...set.compile } };
      this._changed.emit(this.values);
    };
    found.changed.connect(take);
    take();
  }
}
