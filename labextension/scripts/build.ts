/**
 * Builds what is committed: the script that an offline page carries, the module that anywidget loads, and the entry of
 * the JupyterLab extension (which `jupyter-builder` then packs; what JupyterLab brings itself stays outside).
 *
 * `node scripts/build.ts [FOLDER]` writes below FOLDER (default: the repository). A test builds into an empty folder
 * and compares, so output must depend on the sources and the locked versions alone.
 */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { minify } from "terser";

const here = resolve(import.meta.dirname, "..");
const target = resolve(process.argv[2] ?? resolve(here, ".."));
const banner = "/* Built from labextension/src by `make views`. Contains preact (MIT); see THIRD_PARTY.md. */";

/** The first browsers that nest style rules themselves (2023): written out, the nesting would double the styles. */
const BROWSERS = ["chrome120", "firefox117", "safari17.2"];

const shared: BuildOptions = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  legalComments: "none",
  charset: "ascii", // a page may be served in any encoding
  target: BROWSERS,
  loader: { ".css": "text" },
  jsx: "automatic",
  jsxImportSource: "preact",
  banner: { js: banner },
  logLevel: "warning",
  plugins: [
    {
      // Styles are a string inside the script, made smaller by the same tool.
      name: "css-as-text",
      setup(context) {
        context.onLoad({ filter: /\.css$/ }, async found => {
          const styles = await build({
            entryPoints: [found.path],
            bundle: true,
            minify: true,
            write: false,
            charset: "ascii",
            target: BROWSERS,
          });
          return { contents: styles.outputFiles[0]?.text.trim() ?? "", loader: "text" };
        });
      },
    },
  ],
};

/** Every saved output carries this one: a second tool makes what is packed of it a thirtieth smaller. */
async function buildInline(): Promise<void> {
  const outfile = resolve(target, "compiler/sima_compiler/view/static/inline.js");
  const options: BuildOptions = { ...shared, entryPoints: ["src/hosts/inline.ts"], format: "iife", outfile };
  await build(options); // makes the folder, too
  const bundled = await build({ ...options, write: false });
  const small = await minify(bundled.outputFiles?.[0]?.text ?? "", {
    ecma: 2020,
    compress: { passes: 3, unsafe: true, unsafe_arrows: true, pure_getters: true },
    format: { ascii_only: true, preamble: banner, comments: false },
  });
  await writeFile(outfile, `${small.code}\n`);
}

await Promise.all([
  buildInline(),
  build({
    ...shared,
    banner: {}, // nothing of others is in it
    entryPoints: ["src/hosts/boot.ts"],
    format: "iife",
    outfile: resolve(target, "compiler/sima_compiler/view/static/boot.js"),
  }),
  build({
    ...shared,
    entryPoints: ["src/hosts/widget.ts"],
    format: "esm",
    outfile: resolve(target, "sima_nb/static/widget.js"),
  }),
  build({
    ...shared,
    entryPoints: ["src/hosts/lab/index.ts"],
    format: "esm",
    external: ["@jupyterlab/*", "@lumino/*"],
    outfile: resolve(target, "labextension/lib/index.js"),
  }),
]);
