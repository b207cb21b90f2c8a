import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { crdFiles } from "./crd-files.ts";
import { customResourceDefinition, KINDS } from "./custom-resource-definition.ts";

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly enum?: readonly unknown[];
  readonly [extension: string]: unknown;
}

function* walk(schema: Schema, path: string): Generator<readonly [string, Schema]> {
  yield [path, schema];
  for (const [name, member] of Object.entries(schema.properties ?? {}))
    yield* walk(member, `${path}.${name}`);
  if (schema.items !== undefined) yield* walk(schema.items, `${path}[]`);
  if (schema.additionalProperties !== undefined) yield* walk(schema.additionalProperties, `${path}{}`);
}

function fieldsOf(kind: (typeof KINDS)[number]): readonly (readonly [string, Schema])[] {
  const version = customResourceDefinition(kind).spec.versions[0];
  return [...walk(version?.schema.openAPIV3Schema as unknown as Schema, kind.kind)];
}

describe("generated CRDs", () => {
  it.each([...crdFiles()])("%s is what the schemas say", (path, text) => {
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it.each(KINDS)("$kind describes every field", (kind) => {
    const silent = fieldsOf(kind)
      .filter(([path, schema]) => !/(\[\]|\{\}|\.metadata)$/.test(path) && (schema.description ?? "") === "")
      .map(([path]) => path);

    expect(silent).toEqual([]);
  });

  it.each(KINDS)("$kind bounds every string, list and map", (kind) => {
    const unbounded = fieldsOf(kind)
      .filter(([path]) => path !== `${kind.kind}.apiVersion` && path !== `${kind.kind}.kind`)
      .filter(
        ([, schema]) =>
          (schema.type === "string" && schema.maxLength === undefined && schema.enum === undefined) ||
          (schema.type === "array" && schema.maxItems === undefined) ||
          (schema.additionalProperties !== undefined && schema.maxProperties === undefined),
      )
      .map(([path]) => path);

    expect(unbounded).toEqual([]);
  });

  it.each(KINDS)("$kind says of every list how it merges", (kind) => {
    const untyped = fieldsOf(kind)
      .filter(([, schema]) => schema.type === "array" && schema["x-kubernetes-list-type"] === undefined)
      .map(([path]) => path);

    expect(untyped).toEqual([]);
  });

  it.each(KINDS)("$kind has no field that YAML 1.1 reads as a boolean or a number", (kind) => {
    const names = fieldsOf(kind).flatMap(([, schema]) => Object.keys(schema.properties ?? {}));

    expect(names.filter((name) => /^(y|n|yes|no|on|off|true|false|null|~|[0-9.]+)$/i.test(name))).toEqual([]);
  });
});
