/** The views by the names that hosts use. */
import type { ViewData } from "../columns.ts";
import type { Handle, Host } from "../hosts/host.ts";
import { mount as explorer } from "./explorer.tsx";

export type Mount = (element: HTMLElement, data: ViewData, host: Host) => Handle;

export const VIEWS: Readonly<Record<string, Mount>> = { explorer };
