/** Icons; `jp-icon3` takes the theme's colour, `jp-icon-selectable` its inverse in a selected row of the file browser. */
import { LabIcon } from "@jupyterlab/ui-components";

function icon(name: string, drawing: string): LabIcon {
  const svgstr = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><g class="jp-icon3 jp-icon-selectable" fill="#616161">${drawing}</g></svg>`;
  return new LabIcon({ name: `sima-nb:${name}`, svgstr });
}

/** A chip with three bars of a schedule. */
const CHIP =
  '<path d="M8 2h2v3h4V2h2v3h1a2 2 0 0 1 2 2v1h3v2h-3v4h3v2h-3v1a2 2 0 0 1-2 2h-1v3h-2v-3h-4v3H8v-3H7a2 2 0 0 1-2-2v-1H2v-2h3v-4H2V8h3V7a2 2 0 0 1 2-2h1zM7 7v10h10V7z"/>';

export const archiveIcon = icon("archive", `${CHIP}<path d="M8 8h5v2H8zM10 11h6v2h-6zM9 14h4v2H9z"/>`);
export const statsIcon = icon("stats", '<path d="M3 4h9v3H3zM7 9h11v3H7zM5 14h8v3H5zM11 19h10v2H11z"/>');
export const pipelineIcon = icon(
  "pipeline",
  '<path d="M2 9h5v6H2zM9.5 9h5v6h-5zM17 9h5v6h-5zM7 11.2h2.5v1.6H7zM14.5 11.2H17v1.6h-2.5z"/>',
);
export const modelIcon = icon(
  "model",
  '<path d="M6 3.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM6 15.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM18 9.500a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5zM8 6.800l8 4-.8 1.600-8-4zM8 17.200l8-4-.8-1.600-8 4z"/>',
);
export const compareIcon = icon("compare", '<path d="M3 4h8v16H3zm2 2v12h4V6zM13 4h8v16h-8z"/>');
export const detailsIcon = icon(
  "details",
  '<path d="M4 3h16v18H4zm2 2v14h12V5zM8 8h2v2H8zM11.500 8H16v2h-4.500zM8 11.500h2v2H8zM11.500 11.500H16v2h-4.500zM8 15h2v2H8zM11.500 15H16v2h-4.500z"/>',
);
export const compileIcon = icon("compile", `${CHIP}<path d="M10 8.500l6 3.500-6 3.500z"/>`);
