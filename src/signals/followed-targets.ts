import type { PolicySignal } from "../crds/rollback-policy.ts";
import type { Clock } from "../kube/clock.ts";
import { keyOf } from "../kube/objects.ts";
import type { RollbackPolicy } from "../kube/rollback-kinds.ts";
import type { Store } from "../kube/store.ts";
import { watchedName } from "./ledger-memory.ts";

export interface FollowedTargets {
  readonly policies: Store<RollbackPolicy>;
  readonly clock: Clock;
  /** Whether a signal needs the watch. */
  readonly uses: (signal: PolicySignal) => boolean;
  /** Deployments as `namespace/name`. */
  readonly follow: (targets: ReadonlySet<string>) => void;
}

/** A new leader's policies come one by one, and each change of the set lists anew: what comes together is told together. */
const SETTLE_MS = 100;

/** Tells a watch which workloads the policies name that need it, whenever that changes; returns how to stop. */
export function followTargets({ policies, clock, uses, follow }: FollowedTargets): () => void {
  const targets = new Map<string, string>();
  let waiting: { cancel(): void } | undefined;

  function take(policy: RollbackPolicy, isGone: boolean): void {
    const key = keyOf(policy);
    const target = isGone ? undefined : targetOf(policy, uses);
    if (targets.get(key) === target) return;
    if (target === undefined) targets.delete(key);
    else targets.set(key, target);
    waiting ??= clock.setTimer(SETTLE_MS, () => {
      waiting = undefined;
      follow(new Set(targets.values()));
    });
  }

  for (const policy of policies.list()) take(policy, false);
  const stop = policies.onChange(({ type, object }) => take(object, type === "deleted"));
  return () => {
    stop();
    waiting?.cancel();
  };
}

/** Of a policy that evaluates and needs the watch. */
function targetOf({ metadata, spec }: RollbackPolicy, uses: FollowedTargets["uses"]): string | undefined {
  if (metadata.deletionTimestamp !== undefined || spec.suspend || !spec.signals.some(uses)) return undefined;
  return watchedName({ namespace: metadata.namespace ?? "", name: spec.target.name });
}
