/** Bars for eyes that get no colour: one small tile per pattern of the palette, drawn in the ink over the bar's colour. */

const SIZE = 8;

type Draw = (context: CanvasRenderingContext2D) => void;

function lines(
  context: CanvasRenderingContext2D,
  ...points: readonly (readonly [number, number, number, number])[]
): void {
  context.beginPath();
  for (const [x, y, toX, toY] of points) {
    context.moveTo(x, y);
    context.lineTo(toX, toY);
  }
  context.stroke();
}

const DRAW: Readonly<Record<string, Draw>> = {
  diagonal: context => lines(context, [0, 8, 8, 0], [-2, 2, 2, -2], [6, 10, 10, 6]),
  cross: context => lines(context, [0, 0, 8, 8], [0, 8, 8, 0]),
  dots: context => {
    context.fillRect(1, 1, 2, 2);
    context.fillRect(5, 5, 2, 2);
  },
  horizontal: context => lines(context, [0, 2, 8, 2], [0, 6, 8, 6]),
  vertical: context => lines(context, [2, 0, 2, 8], [6, 0, 6, 8]),
  zigzag: context => lines(context, [0, 6, 4, 2], [4, 2, 8, 6]),
  checks: context => {
    context.fillRect(0, 0, 4, 4);
    context.fillRect(4, 4, 4, 4);
  },
  grid: context => lines(context, [0, 0, 8, 0], [0, 0, 0, 8]),
};

/** A fill of that pattern; the plain colour where the pattern is solid or not known. */
export function textureOf(
  context: CanvasRenderingContext2D,
  pattern: string,
  colour: string,
  ink: string,
): string | CanvasPattern {
  const draw = DRAW[pattern];
  const tile = draw && context.canvas.ownerDocument.createElement("canvas");
  if (!tile) return colour;
  tile.width = SIZE;
  tile.height = SIZE;
  const pen = tile.getContext("2d");
  if (!pen) return colour;
  pen.fillStyle = colour;
  pen.fillRect(0, 0, SIZE, SIZE);
  pen.fillStyle = ink;
  pen.strokeStyle = ink;
  pen.lineWidth = 1.5;
  draw(pen);
  return context.createPattern(tile, "repeat") ?? colour;
}
