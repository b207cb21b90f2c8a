import { parseAllDocuments } from "yaml";
import { API_VERSION } from "../crds/common.ts";
import { RollbackPolicySpec } from "../crds/rollback-policy.ts";
import type { RollbackPolicy } from "../kube/rollback-kinds.ts";
import { BacktestError } from "./backtest-error.ts";

/**
 * The RollbackPolicy in the text of a YAML or JSON file, with the defaults that the API server would set. Throws
 * BacktestError; `path` is for its message, `namespace` holds where the file names none.
 */
export function parsePolicy(text: string, path: string, namespace: string | undefined): RollbackPolicy {
  const documents = parseAllDocuments(text);
  const broken = documents.flatMap(({ errors }) => errors.map(({ message }) => message));
  if (broken.length > 0) throw new BacktestError(`${path} is no YAML:\n${listOf(broken)}`);
  const objects: readonly unknown[] = documents.map((document) => document.toJS() as unknown);
  const policies = objects.flatMap((each) =>
    isObject(each) && each["kind"] === "RollbackPolicy" ? [each] : [],
  );
  const [policy, ...more] = policies;
  if (policy === undefined) throw new BacktestError(`${path} holds no RollbackPolicy`);
  if (more.length > 0) {
    throw new BacktestError(
      `${path} holds ${policies.length} RollbackPolicies: put the one that is meant into a file of its own`,
    );
  }
  return toPolicy(policy, path, namespace);
}

type Fields = Readonly<Record<string, unknown>>;

function toPolicy(object: Fields, path: string, otherwise: string | undefined): RollbackPolicy {
  const problems: string[] = [];
  if (object["apiVersion"] !== API_VERSION) problems.push(`apiVersion: must be ${API_VERSION}`);
  const metadata = isObject(object["metadata"]) ? object["metadata"] : {};
  const { name, namespace } = metadata;
  if (typeof name !== "string" || name === "") problems.push("metadata.name: is missing");
  const parsed = RollbackPolicySpec.safeParse(object["spec"] ?? {});
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map(({ path, message }) => `${fieldOf(path)}: ${message}`));
  } else {
    problems.push(...unknownFields(object["spec"], parsed.data, "spec"));
  }
  if (problems.length > 0 || !parsed.success) {
    throw new BacktestError(`${path} is not a valid RollbackPolicy:\n${listOf(problems)}`);
  }
  const own = typeof namespace === "string" ? namespace : undefined;
  if (own !== undefined && otherwise !== undefined && own !== otherwise) {
    throw new BacktestError(`${path} is of namespace ${own}, not of ${otherwise}: leave --namespace away`);
  }
  const home = own ?? otherwise;
  if (home === undefined) {
    throw new BacktestError(`${path} has no metadata.namespace: set it, or give --namespace`);
  }
  return {
    apiVersion: API_VERSION,
    kind: "RollbackPolicy",
    metadata: { ...metadata, name: String(name), namespace: home, uid: "", resourceVersion: "" },
    spec: parsed.data,
  } as RollbackPolicy;
}

/** The API server would refuse them too: a misspelt field must not be a missing one. */
function unknownFields(given: unknown, known: unknown, path: string): readonly string[] {
  if (Array.isArray(given)) {
    const kept: readonly unknown[] = Array.isArray(known) ? known : [];
    return given.flatMap((each, index) => unknownFields(each, kept[index], `${path}[${index}]`));
  }
  if (!isObject(given)) return [];
  return Object.entries(given).flatMap(([key, value]) => {
    const field = `${path}.${key}`;
    return isObject(known) && key in known
      ? unknownFields(value, known[key], field)
      : [`${field}: is no field of this kind`];
  });
}

function fieldOf(path: readonly PropertyKey[]): string {
  return ["spec", ...path].reduce<string>(
    (text, key) =>
      typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`,
    "",
  );
}

function listOf(problems: readonly string[]): string {
  return problems.map((problem) => `  ${problem}`).join("\n");
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
