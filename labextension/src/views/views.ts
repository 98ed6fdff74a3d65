/** The views by the names that hosts use. */
import type { ViewData } from "../columns.ts";
import type { Handle, Host } from "../hosts/host.ts";
import { mount as archive } from "./archive.tsx";
import { mount as batch } from "./batch.tsx";
import { mount as explorer } from "./explorer.tsx";
import { mount as summary } from "./summary.tsx";

export type Mount = (element: HTMLElement, data: ViewData, host: Host) => Handle;

/** Views of one archive or file; a comparison has two and is mounted by `mountComparison`. */
export const VIEWS: ReadonlyMap<string, Mount> = new Map(Object.entries({ explorer, archive, batch, summary }));

export { mount as mountComparison } from "./comparison.tsx";
