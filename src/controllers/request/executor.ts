import type { Right } from "../../actions/action.ts";
import type { KubeClient } from "../../kube/client.ts";
import { errorMessage, isForbidden } from "../../kube/errors.ts";
import { serviceAccountType } from "../../kube/well-known.ts";

export type ExecutorCheck =
  | { readonly kind: "Able" }
  | { readonly kind: "Refused"; readonly reason: "AccessDenied"; readonly message: string };

/**
 * Whether the executor exists (impersonating a deleted account works, so it must be asked) and has every right.
 * Asked as the executor itself. Throws KubeError.
 */
export async function checkExecutor(
  client: KubeClient,
  account: { readonly namespace: string; readonly name: string },
  rights: readonly Right[],
  signal: AbortSignal,
): Promise<ExecutorCheck> {
  const title = `ServiceAccount ${account.namespace}/${account.name}`;
  const executor = client.as(account);
  try {
    const [found, ...answers] = await Promise.all([
      client.tryGet(serviceAccountType, account, { signal }),
      ...rights.map((right) => executor.canI(attributesOf(right, account.namespace), { signal })),
    ]);
    if (found === undefined)
      return denied(`${title} does not exist: create it and bind the executor Role to it`);
    const missing = rights.filter((_, index) => answers[index]?.allowed !== true);
    if (missing.length === 0) return { kind: "Able" };
    return denied(
      `${title} may not ${missing.map(readable).join(", ")}. Add to its Role:\n${rulesFor(missing)}`,
    );
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return denied(
      `the operator may not act as ${title}: only accounts named rollback-executor can be used unless an admin binds more (${errorMessage(error)})`,
    );
  }
}

function attributesOf({ apiGroup, resource, verb, name }: Right, namespace: string) {
  return { namespace, verb, group: apiGroup, resource, ...(name === undefined ? {} : { name }) };
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

function denied(message: string): ExecutorCheck {
  return { kind: "Refused", reason: "AccessDenied", message };
}
