/** How the application makes our documents. */
import type { ISharedFile } from "@jupyter/ydoc";
import {
  ABCWidgetFactory,
  DocumentModel,
  type DocumentRegistry,
  DocumentWidget,
  TextModelFactory,
} from "@jupyterlab/docregistry";
import type { Contents } from "@jupyterlab/services";
import { refreshIcon, ToolbarButton } from "@jupyterlab/ui-components";

import { FileView } from "./document.tsx";
import { compareIcon, detailsIcon } from "./icons.ts";
import { COMMANDS, MODEL, mayBeCompared, mayBeCompiled } from "./names.ts";
import type { Services } from "./services.ts";

/**
 * Says that somebody else takes care of the file. Otherwise the application makes a checkpoint of whatever it opens: a
 * copy of the whole file, a gigabyte of archive too.
 */
class FileModel extends DocumentModel {
  override get collaborative(): boolean {
    return true;
  }
}

/** A model without content: the server reads the file, so a gigabyte never comes to the browser. */
export class FileModelFactory extends TextModelFactory {
  override get name(): string {
    return MODEL;
  }

  override get fileFormat(): Contents.FileFormat {
    return null;
  }

  override createNew(options: DocumentRegistry.IModelOptions<ISharedFile> = {}): FileModel {
    return new FileModel(options);
  }
}

export class FileDocument extends DocumentWidget<FileView> {}

export class FileFactory extends ABCWidgetFactory<FileDocument> {
  private readonly services: Services;

  constructor(services: Services, options: DocumentRegistry.IWidgetFactoryOptions<FileDocument>) {
    super(options);
    this.services = services;
  }

  protected override createNewWidget(context: DocumentRegistry.Context): FileDocument {
    const content = new FileView(this.services, context);
    const document = new FileDocument({ content, context });
    const { commands, trans } = this.services;
    const reload = new ToolbarButton({
      icon: refreshIcon,
      tooltip: trans.__("Read the file again"),
      onClick: () => void content.reload(),
    });
    document.toolbar.addItem("reload", reload);
    if (!mayBeCompiled(context.path)) {
      const details = new ToolbarButton({
        icon: detailsIcon,
        tooltip: trans.__("Show the details of the selection"),
        onClick: () => void commands.execute(COMMANDS.details),
      });
      document.toolbar.addItem("details", details);
    }
    if (mayBeCompared(context.path)) {
      const compare = new ToolbarButton({
        icon: compareIcon,
        label: trans.__("Compare with …"),
        tooltip: trans.__("Choose a second file and see both side by side"),
        onClick: () => void commands.execute(COMMANDS.compareWith, { path: context.path }),
      });
      document.toolbar.addItem("compare", compare);
    }
    return document;
  }
}
