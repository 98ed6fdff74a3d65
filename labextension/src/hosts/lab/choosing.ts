/** What is chosen in the file browser, and what commands say of themselves. */
import type { IFileBrowserFactory } from "@jupyterlab/filebrowser";

/** Rows of the file browser that are files. */
export const FILE_ROW = '.jp-DirListing-item[data-isdir="false"]';

/** Paths of the files that are chosen in the file browser. */
export function chosenFiles(browsers: IFileBrowserFactory | null): string[] {
  const items = [...(browsers?.tracker.currentWidget?.selectedItems() ?? [])];
  return items.filter(item => item.type !== "directory").map(item => item.path);
}

/** What a command takes, in the form that the application wants to know it in. */
export function argumentsOf(properties: Readonly<Record<string, string>>) {
  const entries = Object.entries(properties).map(([name, description]) => [name, { type: "string", description }]);
  return { args: { type: "object", properties: Object.fromEntries(entries) } };
}
