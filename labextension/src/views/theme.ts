/**
 * The colours that a canvas needs, read from the style sheet, and word when they change: the notebook's theme, the system's
 * setting, forced colours, print.
 */

export interface Theme {
  readonly ink: string;
  readonly soft: string;
  readonly paper: string;
  readonly panel: string;
  readonly line: string;
  readonly accent: string;
  readonly dark: boolean;
  /** Bars carry patterns, because colours are taken away or more contrast is asked for. */
  readonly textured: boolean;
  readonly font: string;
  readonly fontSize: number;
}

const TEXTURED = "(forced-colors: active), (prefers-contrast: more), print";

export function readTheme(element: HTMLElement): Theme {
  const style = getComputedStyle(element);
  const [ink, soft, paper, panel, line, accent] = plain(element, ["ink", "soft", "paper", "panel", "line", "accent"]);
  return {
    ink,
    soft,
    paper,
    panel,
    line,
    accent,
    dark: luminance(paper) < 0.3,
    textured: matchMedia(TEXTURED).matches,
    font: style.fontFamily,
    fontSize: Number.parseFloat(style.fontSize),
  };
}

type Six<Item> = [Item, Item, Item, Item, Item, Item];

/** Our colours by name, as `rgb()`: what elements compute for them. All at once, so that styles are computed once. */
function plain(element: HTMLElement, names: Six<string>): Six<string> {
  const probes = names.map(name => {
    const probe = element.ownerDocument.createElement("i");
    probe.style.color = `var(--sima-${name})`;
    element.append(probe);
    return probe;
  });
  const found = probes.map(probe => getComputedStyle(probe).color);
  for (const probe of probes) probe.remove();
  return found as Six<string>;
}

/** Relative luminance of `#rrggbb` or `rgb()`, from 0 to 1. */
export function luminance(colour: string): number {
  const parts = colour.startsWith("#")
    ? [1, 3, 5].map(at => Number.parseInt(colour.slice(at, at + 2), 16))
    : (colour.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
  const [red = 0, green = 0, blue = 0] = parts.map(part => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** `colour` where it is seen against the paper, else the ink: black bars on a black page help nobody. */
export function seen(colour: string, theme: Theme): string {
  if (!/^#[0-9a-f]{6}$/i.test(colour)) return theme.soft;
  const [one, other] = [luminance(colour), luminance(theme.paper)];
  const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  return contrast < 1.25 ? theme.ink : colour;
}

/** Text on a bar of that colour: black or white, whichever is read better. */
export function inkOn(colour: string): string {
  return luminance(colour) > 0.22 ? "#000000" : "#ffffff";
}

/** Calls back whenever the colours may have changed; gives the function that ends it. */
export function watchTheme(element: HTMLElement, changed: () => void): () => void {
  const queries = ["(prefers-color-scheme: dark)", "(forced-colors: active)", "(prefers-contrast: more)", "print"];
  const lists = queries.map(query => matchMedia(query));
  for (const list of lists) list.addEventListener("change", changed);
  const { body, documentElement } = element.ownerDocument;
  const observer = new MutationObserver(changed);
  const options = {
    attributes: true,
    attributeFilter: ["class", "style", "data-jp-theme-light", "data-jp-theme-name", "data-theme"],
  };
  for (const node of [body, documentElement]) observer.observe(node, options);
  return () => {
    observer.disconnect();
    for (const list of lists) list.removeEventListener("change", changed);
  };
}
