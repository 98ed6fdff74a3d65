/** The names under which the application knows what is ours. */

/** The widget factory, which people read under *Open With*, and the model factory behind it. */
export const FACTORY = "SiMa Viewer";
export const MODEL = "sima-nb-file";

/** Language files are called after it. */
export const DOMAIN = "sima_nb";

export const COMMANDS = {
  open: "sima-nb:open",
  compare: "sima-nb:compare",
  compareWith: "sima-nb:compare-with",
  compile: "sima-nb:compile",
  recompile: "sima-nb:recompile",
  jobs: "sima-nb:jobs",
  details: "sima-nb:details",
  dockDetails: "sima-nb:dock-details",
  reload: "sima-nb:reload",
  savePage: "sima-nb:save-page",
  nextTab: "sima-nb:next-tab",
  previousTab: "sima-nb:previous-tab",
} as const;

/** Kinds of files by name. Ours open here by default; the general ones only by *Open With*. */
export const TYPES = {
  archive: { name: "sima-nb-archive", pattern: "^.*_mpk( ?\\(\\d+\\))?\\.(tar\\.gz|tgz)$" },
  stats: { name: "sima-nb-stats", pattern: "^.*_mla_stats( ?\\(\\d+\\))?\\.ya?ml$" },
  pipeline: { name: "sima-nb-pipeline", pattern: "^.*_mpk( ?\\(\\d+\\))?\\.json$" },
  model: { name: "sima-nb-model", pattern: "^.*\\.sima$" },
  onnx: { name: "sima-nb-onnx", pattern: "^.*\\.onnx$" },
  packed: { name: "sima-nb-packed", pattern: "^.*\\.(tar\\.gz|tgz)$" },
} as const;

const COMPARED = [TYPES.archive, TYPES.stats, TYPES.packed].map(type => new RegExp(type.pattern));
const COMPILED = [TYPES.model, TYPES.onnx].map(type => new RegExp(type.pattern, "i"));

/** Whether a file may be one side of a comparison, told by its name. */
export function mayBeCompared(path: string): boolean {
  return COMPARED.some(pattern => pattern.test(path)) || /\.ya?ml$/.test(path);
}

/** Whether a file may be compiled, told by its name. */
export function mayBeCompiled(path: string): boolean {
  return COMPILED.some(pattern => pattern.test(path));
}
