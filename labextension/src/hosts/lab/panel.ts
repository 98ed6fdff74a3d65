/**
 * Where an output stands: the notebook or console around it, found by walking up from the output's widget.
 *
 * Duck-typed on purpose: depending on the packages that define the two panels would add 400 MB to every build for two
 * property names.
 */

import type { ISessionContext } from "@jupyterlab/apputils";
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { Widget } from "@lumino/widgets";

/** What a live widget needs of the panel around it. */
export interface Surroundings {
  readonly session: ISessionContext;
  readonly rendermime: IRenderMimeRegistry;
}

interface NotebookLike {
  readonly context?: { readonly sessionContext?: ISessionContext };
  readonly content?: { readonly rendermime?: IRenderMimeRegistry };
}

interface ConsoleLike {
  readonly sessionContext?: ISessionContext;
  readonly console?: { readonly rendermime?: IRenderMimeRegistry };
}

/** The panel around `output`, or null where there is none (a mirrored output, a file preview). */
export function surroundings(output: Widget): Surroundings | null {
  for (let widget: Widget | null = output.parent; widget !== null; widget = widget.parent) {
    const found = ofNotebook(widget as NotebookLike) ?? ofConsole(widget as ConsoleLike);
    if (found !== null) {
      return found;
    }
  }
  return null;
}

function ofNotebook(panel: NotebookLike): Surroundings | null {
  return both(panel.context?.sessionContext, panel.content?.rendermime);
}

function ofConsole(panel: ConsoleLike): Surroundings | null {
  return both(panel.sessionContext, panel.console?.rendermime);
}

function both(session?: ISessionContext, rendermime?: IRenderMimeRegistry): Surroundings | null {
  return session !== undefined && rendermime !== undefined ? { session, rendermime } : null;
}
