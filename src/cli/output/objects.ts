import type { Output } from "./output.ts";

/** `-o`: how a result is printed; undefined is the form for people. */
export type Format = "json" | "yaml" | "name" | "wide";

export function isForPrograms(format: Format | undefined): format is "json" | "yaml" | "name" {
  return format === "json" || format === "yaml" || format === "name";
}

/** Prints a value for programs; `name` is what `-o name` prints. */
export async function printObject(
  output: Output,
  format: "json" | "yaml" | "name",
  value: unknown,
  name: string,
): Promise<void> {
  switch (format) {
    case "name":
      return output.line(name);
    case "json":
      return output.raw(`${JSON.stringify(value, undefined, 2)}\n`);
    case "yaml": {
      const { toYaml } = await import("./yaml.ts");
      return output.raw(toYaml(value));
    }
  }
}
