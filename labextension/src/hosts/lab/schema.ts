/**
 * The settings' titles and descriptions in the reader's language.
 *
 * JupyterLab's server looks for them in installed language packs only, under these two contexts; ours come with the
 * extension, so the same texts are looked up here, in what the application has loaded of them.
 */
import type { ISettingRegistry } from "@jupyterlab/settingregistry";
import type { TranslationBundle } from "@jupyterlab/translation";

const WORDED = ["title", "description"] as const;

export function translateSchema(registry: ISettingRegistry, plugin: string, trans: TranslationBundle): void {
  registry.transform(plugin, {
    fetch: found => {
      const schema = worded(found.schema, "schema", trans) as ISettingRegistry.ISchema;
      return { ...found, schema };
    },
  });
}

type Part = Readonly<Record<string, unknown>>;

function worded(part: Part, context: "schema" | "settings", trans: TranslationBundle): Part {
  const texts = WORDED.map(name => [name, part[name]] as const).filter(([, text]) => typeof text === "string");
  const properties = Object.entries((part["properties"] ?? {}) as Readonly<Record<string, Part>>);
  return {
    ...part,
    ...Object.fromEntries(texts.map(([name, text]) => [name, trans._p(context, String(text))])),
    ...(properties.length > 0 && {
      properties: Object.fromEntries(properties.map(([name, one]) => [name, worded(one, "settings", trans)])),
    }),
  };
}
