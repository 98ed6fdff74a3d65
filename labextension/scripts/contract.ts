/**
 * Writes src/contract.ts from the schema that the Python side keeps beside its records.
 *
 * `node scripts/contract.ts [--print]`: one interface per definition, with its description; closed sets are unions of
 * their values. Understands what the schema uses and stops at anything else, so that nothing is typed loosely by accident.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Schema = { [key: string]: Json };

const here = resolve(import.meta.dirname, "..");
const source = resolve(here, "../compiler/sima_compiler/view/schema.json");
const KNOWN = new Set(
  [
    "$schema $id $comment $defs $ref title description type properties required additionalProperties items prefixItems",
    "enum const anyOf oneOf minItems maxItems minimum maximum exclusiveMinimum pattern default format minLength maxLength",
    "allOf x-row x-kind examples contentEncoding contentMediaType uniqueItems propertyNames",
  ].flatMap(line => line.split(" ")),
);

function isSchema(value: Json | undefined): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

function typeOf(schema: Schema): string {
  for (const key of Object.keys(schema)) {
    if (!KNOWN.has(key)) throw new Error(`scripts/contract.ts does not know the keyword ${key}`);
  }
  if (typeof schema["$ref"] === "string") return schema["$ref"].split("/").at(-1) ?? "never";
  if ("const" in schema) return JSON.stringify(schema["const"]);
  if (schema["enum"])
    return listOf(schema["enum"])
      .map(value => JSON.stringify(value))
      .join(" | ");
  if (schema["allOf"]) return listOf(schema["allOf"]).filter(isSchema).map(typeOf).join(" & ");
  const choices = schema["anyOf"] ?? schema["oneOf"];
  if (choices) return union(listOf(choices).filter(isSchema).map(typeOf));
  const kinds = Array.isArray(schema["type"]) ? schema["type"] : [schema["type"] ?? "unknown"];
  return union(kinds.map(kind => plain(String(kind), schema)));
}

function union(types: string[]): string {
  return [...new Set(types)].join(" | ");
}

function plain(kind: string, schema: Schema): string {
  switch (kind) {
    case "integer":
    case "number":
      return "number";
    case "string":
    case "boolean":
    case "null":
    case "unknown":
      return kind;
    case "array":
      return arrayOf(schema);
    case "object":
      return isSchema(schema["properties"]) ? bodyOf(schema) : recordOf(schema);
    default:
      throw new Error(`scripts/contract.ts does not know the type ${kind}`);
  }
}

function arrayOf(schema: Schema): string {
  const fixed = listOf(schema["prefixItems"]).filter(isSchema);
  if (fixed.length) return `readonly [${fixed.map(typeOf).join(", ")}]`;
  const item = isSchema(schema["items"]) ? typeOf(schema["items"]) : "unknown";
  return item.includes(" ") ? `readonly (${item})[]` : `readonly ${item}[]`;
}

function recordOf(schema: Schema): string {
  const value = isSchema(schema["additionalProperties"]) ? typeOf(schema["additionalProperties"]) : "unknown";
  return `Readonly<Record<string, ${value}>>`;
}

function comment(schema: Schema, indent: string): string {
  const text = schema["description"];
  if (typeof text !== "string") return "";
  return `${indent}/** ${text.replaceAll("*/", "* /").replaceAll("\n", `\n${indent} * `)} */\n`;
}

function bodyOf(schema: Schema): string {
  const required = new Set(listOf(schema["required"]));
  const properties = isSchema(schema["properties"]) ? schema["properties"] : {};
  const lines = Object.entries(properties).map(([name, value]) => {
    if (!isSchema(value)) throw new Error(`property ${name} has no schema`);
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
    return `${comment(value, "  ")}  readonly ${key}${required.has(name) ? "" : "?"}: ${typeOf(value)};\n`;
  });
  return `{\n${lines.join("")}}`;
}

function declaration(name: string, schema: Schema): string {
  const head = comment(schema, "");
  if (isSchema(schema["properties"])) return `${head}export interface ${name} ${bodyOf(schema)}\n`;
  return `${head}export type ${name} = ${typeOf(schema)};\n`;
}

/** Which record the rows of each table are: what makes a decoded table typed. */
function rowsOf(schema: Schema): string {
  const whole = isSchema(schema["properties"]) ? schema["properties"] : {};
  const tables = isSchema(whole["tables"]) ? whole["tables"] : {};
  const found = isSchema(tables["properties"]) ? Object.entries(tables["properties"]) : [];
  const lines = found.map(([name, value]) => `  readonly ${name}: ${isSchema(value) ? value["x-row"] : "never"};\n`);
  return `/** The records that the rows of each table are. */\nexport interface Rows {\n${lines.join("")}}\n`;
}

export function contractOf(schema: Schema): string {
  const definitions = isSchema(schema["$defs"]) ? schema["$defs"] : {};
  const parts = Object.entries(definitions).map(([name, value]) => {
    if (!isSchema(value)) throw new Error(`definition ${name} has no schema`);
    return declaration(name, value);
  });
  const title = String(schema["title"] ?? "View").replaceAll(/\W/g, "");
  parts.push(declaration(title, { ...schema, $defs: {} }), rowsOf(schema));
  return `/* Generated from compiler/sima_compiler/view/schema.json by \`make views\`; change that file instead. */\n\n${parts.join("\n")}`;
}

if (import.meta.main) {
  const given = process.argv.slice(2).find(argument => !argument.startsWith("--"));
  const written = contractOf(JSON.parse(readFileSync(given ?? source, "utf-8")) as Schema);
  if (process.argv.includes("--print")) process.stdout.write(written);
  else writeFileSync(resolve(here, "src/contract.ts"), written);
}
