import { readFile } from "node:fs/promises";
import { parseDocument } from "yaml";
import { OperatorConfig } from "./schema.ts";

/** The configuration cannot be used; the message lists every problem with its path. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** One sentence each, with the path of the setting. */
  readonly problems: readonly string[];

  constructor(message: string, problems: readonly string[], options?: ErrorOptions) {
    super(message, options);
    this.problems = problems;
  }
}

/** Reads and validates the admin's YAML file; without a path, the defaults. Throws ConfigError. */
export async function loadConfig(path: string | undefined): Promise<OperatorConfig> {
  if (path === undefined) return OperatorConfig.parse({});
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`cannot read ${path}: ${why}`, [why], { cause: error });
  }
  return parseConfig(text, path);
}

/** Validates the text of a configuration file; `path` is for messages only. Throws ConfigError. */
export function parseConfig(text: string, path: string): OperatorConfig {
  const document = parseDocument(text);
  const problems = document.errors.map((error) => error.message);
  // A file that is being written, or was cut off, must not switch everything off.
  if (text.trim() === "") problems.push("(root): the file is empty; leave --config away for the defaults");
  if (problems.length === 0) {
    const result = OperatorConfig.safeParse(document.toJS() ?? {});
    if (result.success) return result.data;
    problems.push(
      ...result.error.issues.map((issue) => `${issue.path.join(".") || "(root)"}: ${issue.message}`),
    );
  }
  const list = problems.map((problem) => `  ${problem}`).join("\n");
  throw new ConfigError(`${path} is not valid:\n${list}`, problems);
}
