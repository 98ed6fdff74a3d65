/**
 * Word when a file changes on disk: asks for its identity every few seconds, only while somebody can see the document.
 */
export interface Watching {
  readonly dispose: () => void;
}

export function watchFile(seconds: () => number, visible: () => boolean, look: () => Promise<void>): Watching {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  const next = () => {
    if (ended) return;
    timer = setTimeout(turn, 1000 * Math.max(1, seconds()));
  };
  const turn = async () => {
    if (seconds() > 0 && visible() && !document.hidden) await look().catch(() => undefined);
    next();
  };
  next();
  return {
    dispose: () => {
      ended = true;
      clearTimeout(timer);
    },
  };
}
