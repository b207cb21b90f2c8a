import { planNames } from "../../decision/default-matrix.ts";
import { formatKey, type ObjectKey } from "../../kube/objects.ts";
import {
  ROLLBACK_POLICIES,
  ROLLBACK_REQUESTS,
  type RollbackPolicy,
  type RollbackRequest,
} from "../../kube/rollback-kinds.ts";
import { isRequestOf } from "../ledger/automatic.ts";
import { frozenOf } from "./guards.ts";
import { decidedOn, ledgerOf, ledgerTargets, readLedgers } from "./ledgers.ts";
import { isFinished } from "./phase.ts";
import type { RequestPorts } from "./ports.ts";
import { resolveSteps, writtenSteps } from "./resolve-steps.ts";
import { resolve, type Resolution } from "./resolve.ts";
import type { Ledgers, Situation } from "./situation.ts";
import { followTwin } from "./twin.ts";

/** The request and all that was recorded about it, read uncached; undefined when it is gone. Throws KubeError. */
export async function observe(
  ports: RequestPorts,
  key: ObjectKey,
  signal: AbortSignal,
): Promise<Situation | undefined> {
  const cached = ports.cached(formatKey(key));
  const expected = cached?.spec.policyRef?.name;
  const [request, early, expectedPolicy] = await Promise.all([
    ports.client.tryGet(ROLLBACK_REQUESTS, key, { signal }),
    readNamedLedgers(ports, cached, signal),
    readPolicy(ports, key, expected, signal),
  ]);
  if (request === undefined) return undefined;
  const named = request.spec.policyRef?.name;
  const policy = named === expected ? expectedPolicy : await readPolicy(ports, key, named, signal);
  const { defaultExecutor, actions, policiesOn } = ports;
  const resolution = resolve({ request, policy, defaultExecutor, actions, policiesOn });
  const { target } = resolution;
  const ledgers = await readLedgers(ports, ledgerTargets(resolution), early, signal);
  const decided = ledgerOf(ledgers, decidedOn(resolution));
  // A finished request repeats nothing any more.
  const twin = isFinished(request) ? undefined : twinOf(request, resolution, ledgers);
  const automatic = decided?.automatic.find((entry) => isRequestOf(entry, request));
  return {
    request,
    resolution,
    ledgers,
    automatic,
    mayRunUnasked:
      automatic !== undefined &&
      policy !== undefined &&
      ports.mayRunUnasked(policy, automatic.plan ?? planNames(policy.spec.plans)[0]),
    twin:
      twin === undefined || target === undefined
        ? undefined
        : await followTwin(ports.client, twin, target, ledgerOf(ledgers, target), signal),
    killSwitch: ports.killSwitch(),
    policy,
    frozenBy: frozenOf(ports, resolution, policy),
    plan: undefined,
    lock: undefined,
    holding: undefined,
    replanned: undefined,
    progress: undefined,
    verification: undefined,
  };
}

async function readPolicy(
  ports: RequestPorts,
  { namespace }: ObjectKey,
  name: string | undefined,
  signal: AbortSignal,
): Promise<RollbackPolicy | undefined> {
  return name === undefined
    ? undefined
    : ports.client.tryGet(ROLLBACK_POLICIES, { namespace, name }, { signal });
}

/** A spec never changes, so where the cached one names its objects, their ledgers can be read along with the request. */
async function readNamedLedgers(
  ports: RequestPorts,
  request: RollbackRequest | undefined,
  signal: AbortSignal,
): Promise<Ledgers> {
  const written = request === undefined ? undefined : writtenSteps(request, undefined);
  if (request === undefined || written === undefined || "kind" in written) return new Map();
  const steps = resolveSteps(request, written, ports.actions, request.status?.resolved?.target);
  if ("kind" in steps) return new Map();
  return readLedgers(
    ports,
    steps.flatMap(({ targets }) => targets),
    new Map(),
    signal,
  );
}

/**
 * What this name and spec did already: as another object, or as this very one whose status somebody emptied. An entry
 * of its own that is only Started is no twin: a crash came between ledger and journal.
 */
function twinOf(request: RollbackRequest, resolution: Resolution, ledgers: Ledgers) {
  if (resolution.kind === "Refused") return undefined;
  const { name, uid } = request.metadata;
  const executed = [...ledgers.values()].flatMap((ledger) => ledger?.executed ?? []);
  return executed.find(
    (entry) =>
      entry.name === name &&
      entry.specDigest === resolution.specDigest &&
      (entry.uid !== uid || entry.outcome !== "Started"),
  );
}
