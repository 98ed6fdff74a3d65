/** The plugin that opens our files: file types, the document factory, commands, menus, restoring. */
import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette, MainAreaWidget, WidgetTracker } from "@jupyterlab/apputils";
import { PathExt } from "@jupyterlab/coreutils";
import { IDocumentManager } from "@jupyterlab/docmanager";
import type { DocumentRegistry } from "@jupyterlab/docregistry";
import { FileDialog, IFileBrowserFactory } from "@jupyterlab/filebrowser";
import { ILauncher } from "@jupyterlab/launcher";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { IStateDB } from "@jupyterlab/statedb";
import { ITranslator, nullTranslator, type TranslationBundle } from "@jupyterlab/translation";
import type { LabIcon } from "@jupyterlab/ui-components";

import { Api } from "./api.ts";
import { argumentsOf, chosenFiles, FILE_ROW } from "./choosing.ts";
import { ComparisonView } from "./comparing.ts";
import { addCompiling } from "./compiling.ts";
import { addDetails, type Trackers } from "./detailing.ts";
import { type FileDocument, FileFactory, FileModelFactory } from "./factory.ts";
import { archiveIcon, compareIcon, modelIcon, pipelineIcon, statsIcon } from "./icons.ts";
import type { Job } from "./job.ts";
import { COMMANDS, DOMAIN, FACTORY, MODEL, mayBeCompared, TYPES } from "./names.ts";
import { translateSchema } from "./schema.ts";
import type { Services } from "./services.ts";
import { Settings } from "./settings.ts";
import { JobsWatch } from "./watch_jobs.ts";

export const PLUGIN = "sima-nb:documents";

export const documents: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: "Opens compiled archives, statistics and models without a kernel",
  autoStart: true,
  requires: [IDocumentManager],
  optional: [ITranslator, ISettingRegistry, IStateDB, ILayoutRestorer, ICommandPalette, IFileBrowserFactory, ILauncher],
  activate,
};

async function activate(
  app: JupyterFrontEnd,
  manager: IDocumentManager,
  translator: ITranslator | null,
  registry: ISettingRegistry | null,
  states: IStateDB | null,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
  browsers: IFileBrowserFactory | null,
  launcher: ILauncher | null,
): Promise<void> {
  const services = servicesOf(app, manager, translator, registry, states);
  const trackers = {
    files: new WidgetTracker<FileDocument>({ namespace: "sima-nb-files" }),
    comparisons: new WidgetTracker<MainAreaWidget<ComparisonView>>({ namespace: "sima-nb-comparisons" }),
  };
  addTypes(app.docRegistry, services.trans);
  addFactory(app.docRegistry, services, trackers.files);
  addCommands(app, manager, services, trackers, browsers);
  addMenus(app, palette, services.trans);
  const others = (translator ?? nullTranslator).load("jupyterlab").__("Other");
  addCompiling(app, manager, services, { restorer, palette, launcher, browsers, others });
  addDetails(app, services, trackers, restorer, palette);
  if (restorer) restore(restorer, trackers);
  // A compile that was running when the page was left is waited for again, whatever is open now.
  void app.restored.then(() => services.jobs.look());
}

function servicesOf(
  app: JupyterFrontEnd,
  manager: IDocumentManager,
  translator: ITranslator | null,
  registry: ISettingRegistry | null,
  states: IStateDB | null,
): Services {
  const trans = (translator ?? nullTranslator).load(DOMAIN);
  const settings = new Settings();
  if (registry) translateSchema(registry, PLUGIN, trans);
  // Without the settings' own plugin, or with a broken file of settings, the defaults serve.
  void settings.follow(registry, PLUGIN).catch(() => undefined);
  const { contents } = manager.services;
  const api = new Api(app.serviceManager.serverSettings, trans);
  const openResult = ({ result }: Job) => {
    if (!result || !settings.values.openResult) return;
    // Not while a workspace is being restored: that ends by showing what was in front before, and would hide the result.
    void app.restored.then(() => app.commands.execute("docmanager:open", { path: result.path }));
  };
  return {
    api,
    jobs: new JobsWatch(api, openResult),
    settings,
    trans,
    commands: app.commands,
    states,
    localPath: path => (["", "RTC"].includes(contents.driveName(path)) ? contents.localPath(path) : null),
  };
}

function addTypes(registry: DocumentRegistry, trans: TranslationBundle): void {
  const add = (type: { name: string; pattern: string }, displayName: string, icon: LabIcon, mimeType: string) =>
    registry.addFileType({
      name: type.name,
      displayName,
      pattern: type.pattern,
      icon,
      mimeTypes: [mimeType],
      contentType: "file",
      fileFormat: "base64",
    });
  add(TYPES.archive, trans.__("SiMa archive"), archiveIcon, "application/gzip");
  add(TYPES.stats, trans.__("MLA statistics"), statsIcon, "application/yaml");
  add(TYPES.pipeline, trans.__("SiMa pipeline"), pipelineIcon, "application/json");
  add(TYPES.model, trans.__("SiMa model"), modelIcon, "application/octet-stream");
  add(TYPES.onnx, trans.__("ONNX model"), modelIcon, "application/octet-stream");
  add(TYPES.packed, trans.__("Packed archive"), archiveIcon, "application/gzip");
}

/** File types that JupyterLab brings by itself, for which ours is one more choice. */
const OFFERED = ["yaml", "json"];

function addFactory(registry: DocumentRegistry, services: Services, tracker: WidgetTracker<FileDocument>): void {
  const ours = [TYPES.archive, TYPES.stats, TYPES.pipeline, TYPES.model].map(type => type.name);
  registry.addModelFactory(new FileModelFactory());
  const factory = new FileFactory(services, {
    name: FACTORY,
    label: services.trans.__("SiMa Viewer"),
    modelName: MODEL,
    fileTypes: [...ours, TYPES.onnx.name, TYPES.packed.name, ...OFFERED],
    defaultFor: ours,
    readOnly: true,
  });
  factory.widgetCreated.connect((_sender, widget) => {
    const type = registry.getFileTypesForPath(PathExt.basename(widget.context.path))[0];
    if (type?.icon) widget.title.icon = type.icon;
    widget.context.pathChanged.connect(() => void tracker.save(widget));
    void tracker.add(widget);
  });
  // Its optional fields are declared in the way of a compiler that tells "absent" from "undefined" less strictly than ours.
  registry.addWidgetFactory(factory as unknown as DocumentRegistry.WidgetFactory);
}

function addCommands(
  app: JupyterFrontEnd,
  manager: IDocumentManager,
  services: Services,
  trackers: Trackers,
  browsers: IFileBrowserFactory | null,
): void {
  const { commands } = app;
  const { trans } = services;
  const current = () => {
    const found = trackers.files.currentWidget;
    return found !== null && app.shell.currentWidget === found ? found : null;
  };
  const chosen = () => chosenFiles(browsers);
  const chosenPair = () => {
    const paths = chosen();
    return paths.length === 2 && paths.every(mayBeCompared) ? paths : null;
  };
  commands.addCommand(COMMANDS.compare, {
    label: trans.__("Compare"),
    caption: trans.__("Show two archives or statistics files side by side, layer by layer"),
    icon: compareIcon,
    isVisible: () => chosenPair() !== null,
    isEnabled: args => typeof args["before"] === "string" || chosenPair() !== null,
    execute: async args => {
      const [before, after] =
        typeof args["before"] === "string" ? [args["before"], String(args["after"])] : (chosenPair() ?? []);
      if (before && after) await showComparison(app, services, trackers, before, after);
    },
    describedBy: argumentsOf({
      before: trans.__("Path of the first file"),
      after: trans.__("Path of the second file"),
    }),
  });
  commands.addCommand(COMMANDS.compareWith, {
    label: trans.__("Compare with …"),
    caption: trans.__("Choose a second file and see both side by side"),
    icon: compareIcon,
    isEnabled: args => typeof args["path"] === "string" || current() !== null || chosen().length === 1,
    isVisible: () => {
      const [only, ...more] = chosen();
      return only !== undefined && more.length === 0 && mayBeCompared(only);
    },
    execute: async args => {
      const path = args["path"] ?? (args["fromBrowser"] ? chosen()[0] : current()?.context.path);
      const other = typeof path === "string" ? await choose(manager, services, path) : null;
      if (other) await showComparison(app, services, trackers, String(path), other);
    },
    describedBy: argumentsOf({ path: trans.__("Path of the first file") }),
  });
  commands.addCommand(COMMANDS.open, {
    label: trans.__("Open in the SiMa viewer"),
    icon: archiveIcon,
    isEnabled: args => typeof args["path"] === "string" || chosen().length > 0,
    execute: async args => {
      const paths = typeof args["path"] === "string" ? [args["path"]] : chosen();
      for (const path of paths) await commands.execute("docmanager:open", { path, factory: FACTORY });
    },
    describedBy: argumentsOf({ path: trans.__("Path of the file") }),
  });
  const onCurrent = (id: string, label: string, act: (document: FileDocument) => void) =>
    commands.addCommand(id, {
      label,
      isEnabled: () => current() !== null,
      execute: () => {
        const document = current();
        if (document) act(document);
      },
      describedBy: argumentsOf({}),
    });
  onCurrent(COMMANDS.reload, trans.__("Read the file again"), document => void document.content.reload());
  onCurrent(COMMANDS.savePage, trans.__("Download the report as one offline page"), document => {
    void document.content.savePage();
  });
  onCurrent(COMMANDS.nextTab, trans.__("Next view of the file"), document => document.content.moveTab(1));
  onCurrent(COMMANDS.previousTab, trans.__("Previous view of the file"), document => document.content.moveTab(-1));
}

async function choose(manager: IDocumentManager, services: Services, path: string): Promise<string | null> {
  const found = await FileDialog.getOpenFiles({
    manager,
    title: services.trans.__("Compare %1 with", PathExt.basename(path)),
    defaultPath: PathExt.dirname(path),
    filter: model => (model.type === "directory" || mayBeCompared(model.path) ? {} : null),
  });
  return found.value?.find(item => item.type !== "directory")?.path ?? null;
}

async function showComparison(
  app: JupyterFrontEnd,
  services: Services,
  { comparisons }: Trackers,
  before: string,
  after: string,
): Promise<void> {
  const open = comparisons.find(({ content }) => content.before === before && content.after === after);
  if (open) {
    app.shell.activateById(open.id);
    return;
  }
  const widget = new MainAreaWidget({ content: new ComparisonView(services, before, after) });
  widget.id = `sima-nb-comparison-${encodeURIComponent(before)}-${encodeURIComponent(after)}`;
  widget.title.label = titleOf(before, after);
  widget.title.caption = `${before}\n${after}`;
  widget.title.icon = compareIcon;
  widget.title.closable = true;
  widget.toolbar.hide();
  await comparisons.add(widget);
  app.shell.add(widget, "main");
  app.shell.activateById(widget.id);
}

/** Base names, or whole paths where those are the same. */
function titleOf(before: string, after: string): string {
  const names = [before, after].map(path => PathExt.basename(path));
  return (names[0] === names[1] ? [before, after] : names).join(" \u2194 ");
}

function addMenus(app: JupyterFrontEnd, palette: ICommandPalette | null, trans: TranslationBundle): void {
  const { contextMenu } = app;
  contextMenu.addItem({ command: COMMANDS.compare, selector: FILE_ROW, rank: 2.1 });
  contextMenu.addItem({ command: COMMANDS.compareWith, selector: FILE_ROW, rank: 2.2, args: { fromBrowser: true } });
  const category = trans.__("SiMa");
  for (const command of [
    COMMANDS.open,
    COMMANDS.compare,
    COMMANDS.compareWith,
    COMMANDS.reload,
    COMMANDS.savePage,
    COMMANDS.nextTab,
    COMMANDS.previousTab,
  ]) {
    palette?.addItem({ command, category });
  }
}

function restore(restorer: ILayoutRestorer, { files, comparisons }: Trackers): void {
  void restorer.restore(files, {
    command: "docmanager:open",
    args: widget => ({ path: widget.context.path, factory: FACTORY }),
    name: widget => widget.context.path,
  });
  void restorer.restore(comparisons, {
    command: COMMANDS.compare,
    args: ({ content }) => ({ before: content.before, after: content.after }),
    name: ({ content }) => `${content.before}\n${content.after}`,
  });
}
