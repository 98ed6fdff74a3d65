/**
 * From a model id to the kernel's live widget, rendered by whatever the panel has for widgets.
 *
 * The kernel is asked first whether it knows the model: rendering an unknown one would leave "model not found" on the
 * page. The promise of the widget renderer resolves after an error too, so success is told by its children alone.
 */

import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import type { Kernel } from "@jupyterlab/services";
import type { Widget } from "@lumino/widgets";

import type { Surroundings } from "./panel.ts";

const WIDGET_VIEW = "application/vnd.jupyter.widget-view+json";
const COMM_TARGET = "jupyter.widget";

/** A model that is being restored after a reload may come up late; three seconds covered every try in real use. */
const PATIENCE_MS = 3000;
/** Renderers are cheap, and a fresh one is needed per try: one that met a missing model never looks again. */
const RETRY_MS = 100;

/** A renderer of widgets: a panel which holds a child once the widget is there. */
type WidgetRenderer = IRenderMime.IRenderer & { readonly widgets?: readonly Widget[] };

/** Whether the kernel has a widget model of that id. */
export async function kernelHas(kernel: Kernel.IKernelConnection, modelId: string): Promise<boolean> {
  const reply = await kernel.requestCommInfo({ target_name: COMM_TARGET });
  return reply.content.status === "ok" && modelId in reply.content.comms;
}

/** The live widget of `modelId`, or null where the kernel, the model or the widget manager is missing. */
export async function liveWidget(around: Surroundings, modelId: string): Promise<Widget | null> {
  const kernel = around.session.session?.kernel ?? null;
  if (kernel === null || !around.rendermime.mimeTypes.includes(WIDGET_VIEW) || !(await kernelHas(kernel, modelId))) {
    return null;
  }
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const rendered = await tryOnce(around, modelId);
    if (rendered !== null) {
      return rendered;
    }
    await new Promise(resolve => setTimeout(resolve, RETRY_MS));
  }
  return null;
}

async function tryOnce(around: Surroundings, modelId: string): Promise<Widget | null> {
  const reference = { model_id: modelId, version_major: 2, version_minor: 0 };
  const model = around.rendermime.createModel({ data: { [WIDGET_VIEW]: reference }, trusted: true });
  const renderer: WidgetRenderer = around.rendermime.createRenderer(WIDGET_VIEW);
  const settled = renderer.renderModel(model).then(
    () => true,
    () => true,
  );
  await Promise.race([settled, new Promise(resolve => setTimeout(resolve, PATIENCE_MS))]);
  if ((renderer.widgets?.length ?? 0) > 0) {
    return renderer;
  }
  renderer.dispose();
  return null;
}
