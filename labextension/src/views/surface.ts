/** A canvas that keeps its size in step with its element and paints at most once per animation frame. */

/** What could not be painted bubbles up as this event, with the error: the view around says so (`mounting`). */
export const FAILED = "sima-failed";

export interface Surface {
  readonly canvas: HTMLCanvasElement;
  readonly context: CanvasRenderingContext2D;
  /** Size in CSS pixels; the canvas has as many more as the screen. */
  width: number;
  height: number;
  /** Asks for a paint in the next frame. */
  readonly invalidate: () => void;
  /** Paints now: for print, and for tests that count frames. */
  readonly flush: () => void;
  readonly dispose: () => void;
}

export function surfaceOn(canvas: HTMLCanvasElement, paint: (surface: Surface) => void): Surface {
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("This browser gives no canvas to draw on.");
  let frame = 0;
  let failed = false;
  const run = (): void => {
    frame = 0;
    if (failed) return;
    try {
      scale(surface);
      if (surface.width > 0 && surface.height > 0) paint(surface);
    } catch (error) {
      failed = true;
      canvas.dispatchEvent(new CustomEvent(FAILED, { bubbles: true, detail: error }));
    }
  };
  const surface: Surface = {
    canvas,
    context,
    width: 0,
    height: 0,
    invalidate: () => {
      if (!frame) frame = requestAnimationFrame(run);
    },
    flush: () => {
      cancelAnimationFrame(frame);
      surface.width = canvas.clientWidth;
      surface.height = canvas.clientHeight;
      run();
    },
    dispose: () => {
      cancelAnimationFrame(frame);
      resized.disconnect();
      // A canvas keeps its pixels as long as anything keeps the element: give them back now.
      canvas.width = 0;
      canvas.height = 0;
    },
  };
  // Told after the browser's own layout and before its paint: the first frame has its bars, and nobody forces a layout.
  const resized = new ResizeObserver(entries => {
    const box = entries.at(-1)?.contentRect;
    if (!box) return;
    surface.width = box.width;
    surface.height = box.height;
    cancelAnimationFrame(frame);
    run();
  });
  resized.observe(canvas);
  return surface;
}

/** As many pixels as the screen has for the canvas. */
function scale({ canvas, context, width, height }: Surface): void {
  const ratio = globalThis.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
}
