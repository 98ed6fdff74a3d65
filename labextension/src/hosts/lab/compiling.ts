/** The plugin's commands around compiling: the form from the file browser, the palette and the launcher; the list of jobs. */
import type { ILayoutRestorer, JupyterFrontEnd } from "@jupyterlab/application";
import { type ICommandPalette, MainAreaWidget, WidgetTracker } from "@jupyterlab/apputils";
import { PathExt } from "@jupyterlab/coreutils";
import type { IDocumentManager } from "@jupyterlab/docmanager";
import { FileDialog, type IFileBrowserFactory } from "@jupyterlab/filebrowser";
import type { ILauncher } from "@jupyterlab/launcher";

import { leaveAsked } from "./asked.ts";
import { argumentsOf, chosenFiles, FILE_ROW } from "./choosing.ts";
import { FileDocument } from "./factory.ts";
import { compileIcon } from "./icons.ts";
import { JobsPanel } from "./jobs_panel.tsx";
import { COMMANDS, FACTORY, mayBeCompiled } from "./names.ts";
import type { Services } from "./services.ts";

export interface Places {
  readonly restorer: ILayoutRestorer | null;
  readonly palette: ICommandPalette | null;
  readonly launcher: ILauncher | null;
  /** The launcher's own name for what is neither notebook nor console. */
  readonly others: string;
  readonly browsers: IFileBrowserFactory | null;
}

export function addCompiling(
  app: JupyterFrontEnd,
  manager: IDocumentManager,
  services: Services,
  places: Places,
): void {
  const { trans } = services;
  addCompileCommand(app, manager, services, places.browsers);
  addRecompileCommand(app, manager, services);
  const panels = addJobsCommand(app, services);
  app.contextMenu.addItem({ command: COMMANDS.compile, selector: FILE_ROW, rank: 2, args: { fromBrowser: true } });
  const category = trans.__("SiMa");
  places.palette?.addItem({ command: COMMANDS.compile, category });
  places.palette?.addItem({ command: COMMANDS.jobs, category });
  places.launcher?.add({ command: COMMANDS.compile, category: places.others, rank: 20 });
  void places.restorer?.restore(panels, { command: COMMANDS.jobs, name: () => "jobs" });
}

function addCompileCommand(
  app: JupyterFrontEnd,
  manager: IDocumentManager,
  services: Services,
  browsers: IFileBrowserFactory | null,
): void {
  const { trans } = services;
  const chosenModel = () => {
    const [only, ...more] = chosenFiles(browsers);
    return only && more.length === 0 && mayBeCompiled(only) ? only : null;
  };
  app.commands.addCommand(COMMANDS.compile, {
    label: args => (args["fromBrowser"] ? trans.__("Compile for the MLA …") : trans.__("Compile a model for the MLA")),
    caption: trans.__("See whether a model compiles, and compile it to an archive"),
    icon: compileIcon,
    isVisible: args => !args["fromBrowser"] || chosenModel() !== null,
    execute: async args => {
      const given = typeof args["path"] === "string" ? args["path"] : chosenModel();
      const path = given ?? (await chooseModel(manager, services));
      if (path) await app.commands.execute("docmanager:open", { path, factory: FACTORY });
    },
    describedBy: argumentsOf({ path: trans.__("Path of a .sima or .onnx file") }),
  });
}

/** From an archive to its model's form, with another batch size filled in; says what it did. */
function addRecompileCommand(app: JupyterFrontEnd, manager: IDocumentManager, services: Services): void {
  const { api, trans } = services;
  app.commands.addCommand(COMMANDS.recompile, {
    label: trans.__("Compile the model of an archive at another batch size"),
    icon: compileIcon,
    execute: async args => {
      const archive = String(args["path"] ?? "");
      const path = (await api.source(archive)) ?? (await chooseModel(manager, services, PathExt.dirname(archive)));
      if (!path) return trans.__("No model was chosen.");
      const asked = { batch_size: Number(args["batch_size"]) };
      const opened: unknown = await app.commands.execute("docmanager:open", { path, factory: FACTORY });
      if (opened instanceof FileDocument) opened.content.prefill(asked);
      else leaveAsked(path, asked);
      return trans.__("The form of %1 is open.", path);
    },
    describedBy: argumentsOf({ path: trans.__("Path of the archive") }),
  });
}

async function chooseModel(
  manager: IDocumentManager,
  { trans }: Services,
  defaultPath?: string,
): Promise<string | null> {
  const found = await FileDialog.getOpenFiles({
    manager,
    title: trans.__("Choose a model to compile"),
    ...(defaultPath !== undefined && { defaultPath }),
    filter: model => (model.type === "directory" || mayBeCompiled(model.path) ? {} : null),
  });
  return found.value?.find(item => item.type !== "directory")?.path ?? null;
}

function addJobsCommand(app: JupyterFrontEnd, services: Services): WidgetTracker<MainAreaWidget<JobsPanel>> {
  const { trans } = services;
  const panels = new WidgetTracker<MainAreaWidget<JobsPanel>>({ namespace: "sima-nb-jobs" });
  app.commands.addCommand(COMMANDS.jobs, {
    label: trans.__("Show compiles"),
    caption: trans.__("The compiles that wait, run or have ended on this server"),
    icon: compileIcon,
    execute: async () => {
      let panel = panels.find(() => true);
      if (!panel) {
        panel = new MainAreaWidget({ content: new JobsPanel(services) });
        panel.id = "sima-nb-jobs";
        panel.title.label = trans.__("Compiles");
        panel.title.icon = compileIcon;
        panel.title.closable = true;
        panel.toolbar.hide();
        await panels.add(panel);
        app.shell.add(panel, "main");
      }
      app.shell.activateById(panel.id);
    },
    describedBy: argumentsOf({}),
  });
  return panels;
}
