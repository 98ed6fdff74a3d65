/** The JupyterLab extension: saved views in notebooks, live where the kernel still has them, and files as documents. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { IRenderMimeRegistry } from "@jupyterlab/rendermime";

import { documents } from "./opening.ts";
import { MIME_TYPE, ViewOutput } from "./output.ts";

/** In front of ipywidgets' -10: where both could show an output, ours comes first and brings the widget in by itself. */
const RANK = -20;

const views: JupyterFrontEndPlugin<void> = {
  id: "sima-nb:views",
  description: "Profiling views in notebook outputs",
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (_app: JupyterFrontEnd, registry: IRenderMimeRegistry): void => {
    registry.addFactory({ safe: true, mimeTypes: [MIME_TYPE], createRenderer: () => new ViewOutput() }, RANK);
  },
};

export default [views, documents];
