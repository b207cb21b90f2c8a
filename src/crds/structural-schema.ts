import { z } from "zod";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

/** Keys that JSON Schema has and a structural schema of Kubernetes must not have. */
const FORBIDDEN = new Set(["$schema", "$id", "id", "title", "examples"]);

/**
 * Structural OpenAPI v3 schema of a zod schema, as a CRD holds it.
 * Source: Kubernetes documentation, "Specifying a structural schema".
 */
export function structuralSchema(schema: z.ZodType): JsonObject {
  const generated = z.toJSONSchema(schema, { target: "openapi-3.0", io: "input", unrepresentable: "throw" });
  return convert(generated as JsonObject);
}

function convert(node: JsonObject): JsonObject {
  const out: Record<string, Json> = {};
  for (const [key, value] of Object.entries(node)) {
    // Kubernetes says "integer or string" by its extension alone; what each may be is a matter of CEL.
    if (key === "anyOf" && node["x-kubernetes-int-or-string"] === true) continue;
    if (FORBIDDEN.has(key) || value === undefined) continue;
    // zod forbids unknown members; the API server prunes them instead.
    if (key === "additionalProperties" && (value === false || "properties" in node)) continue;
    if (key === "propertyNames") continue;
    if ((key === "maximum" || key === "minimum") && isSafeIntegerBound(value)) continue;
    out[key] = convertMember(key, value);
  }
  return out;
}

function convertMember(key: string, value: Json): Json {
  if (key === "properties" && isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [name, convert(member as JsonObject)]),
    );
  }
  if ((key === "items" || key === "additionalProperties") && isObject(value)) return convert(value);
  return value;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSafeIntegerBound(value: Json): boolean {
  return typeof value === "number" && Math.abs(value) === Number.MAX_SAFE_INTEGER;
}
