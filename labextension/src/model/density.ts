/** How busy each pixel of the overview strip is: the share of its cycles in which a lane works. */
import type { Range } from "./scale.ts";
import type { Mask, Track } from "./track.ts";

/** One value from 0 to 1 per pixel. Rows of a lane that overlap count once at most. */
export function densityOf(track: Track, whole: Range, width: number, mask: Mask): Float32Array {
  const busy = new Float32Array(width);
  const perPixel = (whole.to - whole.from) / width;
  if (!(perPixel > 0)) return busy;
  for (const row of track.rows) {
    for (let i = 0; i < row.start.length; i++) {
      if (mask.length && !mask[row.layer[i] as number]) continue;
      const start = ((row.start[i] as number) - whole.from) / perPixel;
      const end = ((row.end[i] as number) - whole.from) / perPixel;
      const last = Math.min(width - 1, Math.floor(end));
      for (let pixel = Math.max(0, Math.floor(start)); pixel <= last; pixel++) {
        const part = Math.min(end, pixel + 1) - Math.max(start, pixel);
        busy[pixel] = Math.min(1, (busy[pixel] as number) + part);
      }
    }
  }
  return busy;
}
