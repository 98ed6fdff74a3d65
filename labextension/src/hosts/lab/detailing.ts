/** The plugin's commands around the panel of details: shown in the side area, or docked beside the document. */
import type { ILayoutRestorer, JupyterFrontEnd } from "@jupyterlab/application";
import type { ICommandPalette, MainAreaWidget, WidgetTracker } from "@jupyterlab/apputils";

import type { ComparisonView } from "./comparing.ts";
import { DetailsPanel } from "./details_panel.ts";
import type { FileDocument } from "./factory.ts";
import { detailsIcon } from "./icons.ts";
import { COMMANDS } from "./names.ts";
import type { Services } from "./services.ts";

export interface Trackers {
  readonly files: WidgetTracker<FileDocument>;
  readonly comparisons: WidgetTracker<MainAreaWidget<ComparisonView>>;
}

/** Behind what JupyterLab itself puts there. */
const RANK = 900;

export function addDetails(
  app: JupyterFrontEnd,
  services: Services,
  { files, comparisons }: Trackers,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
): void {
  const { trans } = services;
  const dress = (isTab: boolean) => {
    panel.title.label = isTab ? trans.__("Details") : "";
    panel.title.closable = isTab;
  };
  const toSide = () => {
    dress(false);
    app.shell.add(panel, "right", { rank: RANK, type: "SiMa Details" });
  };
  const panel = new DetailsPanel(services, toSide);
  toSide();
  restorer?.add(panel, "sima-nb-details");
  // A workspace may bring it back as the tab that it was left as.
  void app.restored.then(() => dress([...app.shell.widgets("main")].includes(panel)));
  // The document that was in front last: the panel itself, a notebook or the launcher change nothing.
  let last: FileDocument | MainAreaWidget<ComparisonView> | null = null;
  const follow = () => {
    const current = [files.currentWidget, comparisons.currentWidget].find(
      one => one && one === app.shell.currentWidget,
    );
    if (current) last = current;
    else if (!last || last.isDisposed) last = files.currentWidget;
    panel.follow(last?.content ?? null);
  };
  for (const tracker of [files, comparisons]) tracker.currentChanged.connect(follow);
  app.shell.currentChanged?.connect(follow);
  follow();

  app.commands.addCommand(COMMANDS.details, {
    label: trans.__("Show the details of the selection"),
    caption: trans.__("What is recorded about the selected layers; once more: back to the document"),
    icon: detailsIcon,
    execute: () => {
      if (panel.node.contains(document.activeElement) && last && !last.isDisposed) {
        app.shell.activateById(last.id);
        return;
      }
      app.shell.activateById(panel.id);
      panel.focus();
    },
    describedBy: { args: { type: "object", properties: {} } },
  });
  app.commands.addCommand(COMMANDS.dockDetails, {
    label: trans.__("Dock the details beside the document"),
    caption: trans.__("As a tab that can be moved anywhere; closed, it goes back to the side"),
    icon: detailsIcon,
    execute: () => {
      dress(true);
      const ref = last?.isAttached ? last.id : null;
      app.shell.add(panel, "main", { mode: "split-right", ref, activate: false, type: "SiMa Details" });
    },
    describedBy: { args: { type: "object", properties: {} } },
  });
  const category = trans.__("SiMa");
  palette?.addItem({ command: COMMANDS.details, category });
  palette?.addItem({ command: COMMANDS.dockDetails, category });
}
