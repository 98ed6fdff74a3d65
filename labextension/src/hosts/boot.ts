/**
 * Runs a script that a page carries compressed, so that a saved notebook does not hold it at full length.
 *
 * `<script type="text/plain" data-sima-packed>` holds the gzipped script in letters (`unpack`). It is unpacked once per document: a
 * notebook with ten reports has ten copies, and the first one serves all. A browser that cannot unpack keeps the static form.
 */
import { unpacked } from "./unpack.ts";

async function boot(): Promise<void> {
  const packed = document.querySelector("script[data-sima-packed]");
  if (!packed?.textContent) return;
  const script = document.createElement("script");
  script.textContent = await unpacked(packed.textContent);
  document.head.append(script);
  script.remove();
}

boot().catch(() => {
  // The static form is whole without the script.
});
