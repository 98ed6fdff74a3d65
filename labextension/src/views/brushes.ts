/** What bars are filled with: one brush per group of the legend, made once per theme and grouping. */
import type { Label } from "../contract.ts";
import { textureOf } from "./textures.ts";
import { inkOn, seen, type Theme } from "./theme.ts";

export interface Brush {
  readonly fill: string | CanvasPattern;
  /** Colour of text on the bar. */
  readonly ink: string;
  readonly colour: string;
}

export function brushesOf(context: CanvasRenderingContext2D, labels: readonly Label[], theme: Theme): Brush[] {
  return labels.map(label => {
    const colour = seen(label.colour ?? "", theme);
    if (!theme.textured) return { fill: colour, ink: inkOn(colour), colour };
    return {
      fill: textureOf(context, label.pattern ?? "", colour, inkOn(colour)),
      ink: inkOn(colour),
      colour,
    };
  });
}
