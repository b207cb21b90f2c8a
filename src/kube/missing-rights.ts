import type { KubeClient } from "./client.ts";
import type { Right } from "./right.ts";

/**
 * Rights that the executor lacks, in words and as rules; undefined when it lacks none. Throws KubeError, isForbidden
 * too when the operator may not act as it.
 */
export async function missingRights(
  executor: KubeClient,
  namespace: string,
  rights: readonly Right[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const answers = await Promise.all(
    rights.map((right) => executor.canI(attributesOf(right, namespace), { signal })),
  );
  const missing = rights.filter((_, index) => answers[index]?.allowed !== true);
  return missing.length === 0 ? undefined : lackText(missing);
}

function lackText(missing: readonly Right[]): string {
  return `may not ${missing.map(readable).join(", ")}. Add to its Role:\n${rulesFor(missing)}`;
}

function attributesOf({ apiGroup, resource, verb, name }: Right, namespace: string) {
  const [main = "", subresource] = resource.split("/");
  return {
    namespace,
    verb,
    group: apiGroup,
    resource: main,
    ...(subresource === undefined ? {} : { subresource }),
    ...(name === undefined ? {} : { name }),
  };
}

function readable({ verb, resource, apiGroup, name }: Right): string {
  const kind = apiGroup === "" ? resource : `${resource}.${apiGroup}`;
  return `${verb} ${kind}${name === undefined ? "" : ` ${name}`}`;
}

/** RBAC rules, one a resource, in the form that can be pasted under `rules:`. */
function rulesFor(rights: readonly Right[]): string {
  const byResource = Map.groupBy(rights, ({ apiGroup, resource }) => `${apiGroup}/${resource}`);
  return [...byResource.values()]
    .map((group) => {
      const { apiGroup = "", resource = "" } = group[0] ?? {};
      const verbs = [...new Set(group.map(({ verb }) => verb))];
      return `- {apiGroups: ["${apiGroup}"], resources: ["${resource}"], verbs: [${verbs.map((v) => `"${v}"`).join(", ")}]}`;
    })
    .join("\n");
}
