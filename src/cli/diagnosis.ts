import { isApiNotServed, isForbidden } from "../kube/errors.ts";
import { GROUP } from "../crds/common.ts";
import {
  ROLLBACK_LEDGERS,
  ROLLBACK_POLICIES,
  ROLLBACK_REQUESTS,
  type RollbackPolicy,
  type RollbackRequest,
} from "../kube/rollback-kinds.ts";
import { resourceName, type KubeObject, type ResourceType } from "../kube/objects.ts";
import type { Finding } from "./finding.ts";
import type { Session } from "./session.ts";
import { executorFindings, leaderFindings, namespaceFindings } from "./surroundings.ts";

interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** Commands that do not work, or not wholly, without it. */
  readonly uses: readonly string[];
  readonly needed: boolean;
}

function right(group: string, resource: string, verb: string, uses: readonly string[]): Right {
  return { verb, group, resource, uses, needed: uses.includes("undo") && resource === "rollbackrequests" };
}

/** What docs/cli.md lists for those who may roll back. */
const RIGHTS: readonly Right[] = [
  right(GROUP, "rollbackrequests", "create", ["undo", "plan", "retry"]),
  right(GROUP, "rollbackrequests", "get", ["undo", "plan", "retry", "status", "abort"]),
  right(GROUP, "rollbackrequests", "watch", ["undo", "plan", "retry", "status --watch"]),
  right(GROUP, "rollbackrequests", "list", ["history"]),
  right(GROUP, "rollbackrequests", "patch", ["abort"]),
  right(GROUP, "rollbackrequests", "delete", ["plan (to remove its dry run)"]),
  right(GROUP, "rollbackpolicies", "list", ["undo (to find the policy)"]),
  right(GROUP, "rollbackledgers", "get", ["revisions and plans (known good)"]),
  right(GROUP, "rollbackledgers", "list", ["history (of deleted requests)"]),
  right("apps", "deployments", "get", ["revisions"]),
  right("apps", "replicasets", "list", ["revisions"]),
  right("apps", "statefulsets", "get", ["revisions of StatefulSets"]),
  right("apps", "daemonsets", "get", ["revisions of DaemonSets"]),
  right("apps", "controllerrevisions", "list", ["revisions of StatefulSets and DaemonSets"]),
];

/** An operator that runs looks at a new object within a second. */
const UNSEEN_AFTER_MS = 10_000;

/** Throws KubeError when the API server cannot be asked at all. */
export async function examine(session: Session): Promise<readonly Finding[]> {
  const server = await serverFinding(session);
  const [rights, [policies, policyKind], [requests, requestKind], [, ledgerKind]] = await Promise.all([
    rightsFindings(session),
    kindFinding(session, ROLLBACK_POLICIES),
    kindFinding(session, ROLLBACK_REQUESTS),
    kindFinding(session, ROLLBACK_LEDGERS),
  ]);
  const [namespaces, executors, leader] = await Promise.all([
    namespaceFindings(session),
    executorFindings(session, policies),
    leaderFindings(session),
  ]);
  return [
    server,
    ...namespaces,
    requestKind,
    policyKind,
    ledgerKind,
    ...rights,
    ...executors,
    ...leader,
    operatorFinding(policies, requests, session.clock.now()),
    ...policies.flatMap(policyFindings),
  ];
}

async function serverFinding({ client, server, signal }: Session): Promise<Finding> {
  const version = (await client.getPath("/version", {}, { signal })) as { readonly gitVersion?: string };
  return {
    check: "API server",
    state: "Ok",
    message: `${server} answers, ${version.gitVersion ?? "no version"}`,
  };
}

async function kindFinding<T extends KubeObject>(
  { client, namespace, signal }: Session,
  type: ResourceType<T>,
): Promise<readonly [readonly T[], Finding]> {
  const check = `CRD ${type.plural}`;
  try {
    const { items } = await client.list(type, { namespace, signal });
    return [items, { check, state: "Ok", message: `installed, ${items.length} in namespace ${namespace}` }];
  } catch (error) {
    if (isApiNotServed(error)) {
      const message = `not installed: an admin runs "kubectl apply -f deploy/crds"`;
      return [[], { check, state: "Failed", message }];
    }
    // Whether it is installed cannot be seen through a refusal; the missing right is reported on its own.
    if (isForbidden(error)) return [[], { check, state: "Warning", message: "no right to look" }];
    throw error;
  }
}

async function rightsFindings({ client, namespace, signal }: Session): Promise<readonly Finding[]> {
  const answers = await Promise.all(
    RIGHTS.map(async (right) => {
      const { verb, group, resource } = right;
      const { allowed } = await client.canI({ namespace, verb, group, resource }, { signal });
      return { right, allowed };
    }),
  );
  const missing = answers.flatMap(({ right, allowed }) => (allowed ? [] : [right]));
  if (missing.length === 0) {
    return [
      { check: "rights", state: "Ok", message: `all that the commands need in namespace ${namespace}` },
    ];
  }
  return [...Map.groupBy(missing, ({ resource }) => resource).values()].map((rights) =>
    missingFinding(rights, namespace),
  );
}

/** The missing rights of one resource, as the one rule to ask for. */
function missingFinding(rights: readonly Right[], namespace: string): Finding {
  const [{ group, resource } = { group: "", resource: "" }] = rights;
  const uses = [...new Set(rights.flatMap((right) => right.uses))].join(", ");
  const verbs = rights.map(({ verb }) => verb).join(", ");
  return {
    check: "rights",
    state: rights.some(({ needed }) => needed) ? "Failed" : "Warning",
    message: `missing in namespace ${namespace} for ${uses}: {apiGroups: [${group}], resources: [${resource}], verbs: [${verbs}]}`,
  };
}

/** Users may not look at the operator's pods; what it leaves undone they can see. */
function operatorFinding(
  policies: readonly RollbackPolicy[],
  requests: readonly RollbackRequest[],
  now: number,
): Finding {
  const check = "operator";
  const objects = [
    ...policies.map((each) => ({
      type: ROLLBACK_POLICIES,
      ...each,
      seen: each.status?.conditions !== undefined,
    })),
    ...requests.map((each) => ({ type: ROLLBACK_REQUESTS, ...each, seen: each.status?.phase !== undefined })),
  ];
  const unseen = objects.filter(
    ({ metadata, seen }) => !seen && now - Date.parse(metadata.creationTimestamp) > UNSEEN_AFTER_MS,
  );
  const [first] = unseen;
  if (first !== undefined) {
    const name = `${resourceName(first.type)} ${first.metadata.name}`;
    const message = `does not seem to run: ${name} has no status; an admin looks at its pods and at its /readyz`;
    return { check, state: "Failed", message };
  }
  if (objects.length > 0)
    return { check, state: "Ok", message: "has looked at every object in this namespace" };
  const message = `cannot be judged: nothing of its kinds is in this namespace; "kubectl-rollback plan deploy/NAME" asks it`;
  return { check, state: "Warning", message };
}

/** Ready holds whether its Prometheus answers; RollbackReady whether a rollback would work now. */
function policyFindings({ metadata, status }: RollbackPolicy): readonly Finding[] {
  return ["Ready", "RollbackReady"].flatMap((type) => {
    const condition = status?.conditions?.find((each) => each.type === type);
    if (condition === undefined) return [];
    const message = `${type}: ${condition.message}`;
    return [
      { check: `policy ${metadata.name}`, state: condition.status === "True" ? "Ok" : "Warning", message },
    ];
  });
}
