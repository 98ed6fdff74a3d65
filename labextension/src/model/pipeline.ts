/** Where the plugins of a pipeline stand in a picture: columns by the longest way from the model's inputs. */
import type { Link, Plugin } from "../contract.ts";

export interface Placed {
  readonly index: number;
  readonly column: number;
  readonly row: number;
}

export interface Edge {
  readonly name: string;
  readonly bytes: number | null;
  /** Index of a plugin, or -1: the model's input or output. */
  readonly source: number;
  readonly target: number;
}

export interface Drawing {
  readonly places: readonly Placed[];
  readonly edges: readonly Edge[];
  readonly columns: number;
  readonly rows: number;
}

export function drawingOf(plugins: readonly Plugin[], links: readonly Link[]): Drawing {
  const edges = links.map(link => ({
    name: link.name,
    bytes: link.bytes ?? null,
    source: link.source ?? -1,
    target: link.target ?? -1,
  }));
  const column = new Array<number>(plugins.length).fill(0);
  // Links run from lower to higher sequence numbers, so one pass in that order settles every column; a file that breaks
  // the rule (a circle) is drawn as far as it goes.
  for (let index = 0; index < plugins.length; index++) {
    for (const edge of edges) {
      if (edge.target === index && edge.source >= 0 && edge.source < index) {
        column[index] = Math.max(column[index] ?? 0, (column[edge.source] ?? 0) + 1);
      }
    }
  }
  const filled: number[] = [];
  const places = column.map((at, index) => {
    const row = filled[at] ?? 0;
    filled[at] = row + 1;
    return { index, column: at, row };
  });
  return { places, edges, columns: filled.length, rows: Math.max(0, ...filled.map(count => count ?? 0)) };
}
