import type { Clock, Random } from "../../kube/clock.ts";
import { runController } from "../../kube/controller.ts";
import { keyOf } from "../../kube/objects.ts";
import { createWorkQueue, priorities, type WorkQueueHooks } from "../../kube/work-queue.ts";
import { POLICIES_BY_TARGET, policyTarget, type PolicyPorts } from "./ports.ts";
import { READINESS_TURNS } from "./readiness-now.ts";
import { GoingBreaches } from "./going-breaches.ts";
import { RecentRollbacks } from "./recent-rollbacks.ts";
import { reconcilePolicy, type PolicyMemory } from "./reconcile.ts";
import { Turns } from "./turns.ts";

/**
 * Policies evaluated at the same time: all of them, up to this many. Most of a tick is waiting for Prometheus, and
 * policies which wait for a slow server must leave workers for those of a fast one.
 */
const MOST_WORKERS = 1_024;
/** For what is left to do about policies that are gone. */
const FEWEST_WORKERS = 4;

/** A tick waits for its servers' timeouts at most; longer means that the API server does not answer. */
const RECONCILE_TIMEOUT_MS = 60_000;

export interface PolicyControllerOptions {
  readonly ports: PolicyPorts;
  readonly random: Random;
  readonly clock: Clock;
  readonly hooks: WorkQueueHooks;
  readonly onError: (key: string, error: unknown, retries: number) => void;
  /** Counts of policies by the status of their Ready condition. */
  readonly onPolicies: (counts: ReadonlyMap<string, number>) => void;
}

/** Evaluates every RollbackPolicy at its interval, until the signal aborts. */
export async function runPolicyController(
  options: PolicyControllerOptions,
  signal: AbortSignal,
): Promise<void> {
  const { ports, clock, random, hooks } = options;
  const queue = createWorkQueue({ clock, random, hooks, backoff: { baseMs: 200, maxMs: 30_000 } });
  const memory: PolicyMemory = {
    runtimes: new Map(),
    recent: new RecentRollbacks(ports.ledgers),
    breaches: new GoingBreaches(),
    turns: new Turns(READINESS_TURNS),
  };

  function wakeTarget(target: string): void {
    for (const policy of ports.policies.byIndex(POLICIES_BY_TARGET, target)) queue.add(keyOf(policy));
  }

  const stops = [
    ports.policies.onChange((change) => {
      // Others on the same target may now own it, or own it no more.
      policyTarget(change.object).forEach(wakeTarget);
      queue.add(keyOf(change.object));
      if (change.type === "updated") policyTarget(change.previous).forEach(wakeTarget);
      options.onPolicies(countPolicies(ports));
    }),
    ports.deployments.onChange(({ object: { metadata } }) =>
      wakeTarget(`${metadata.namespace}/Deployment/${metadata.name}`),
    ),
    ports.servers.onChange(() => {
      for (const policy of ports.policies.list()) queue.add(keyOf(policy));
    }),
  ];
  for (const policy of ports.policies.list()) {
    // Spread over a second, so that a new leader does not ask everything at once.
    queue.add(keyOf(policy), { priority: priorities.resync, afterMs: random() * 1_000 });
  }
  try {
    await runController({
      queue,
      workers: {
        // A waiting worker is about a kilobyte: as many as there are policies, not as there may be.
        count: () => Math.min(MOST_WORKERS, Math.max(FEWEST_WORKERS, ports.policies.size)),
        onChange: (listener) =>
          ports.policies.onChange(({ type }) => {
            if (type !== "updated") listener();
          }),
      },
      reconcile: (key, abort) => reconcilePolicy(ports, memory, key, abort),
      timeoutMs: RECONCILE_TIMEOUT_MS,
      clock,
      onError: options.onError,
      signal,
    });
  } finally {
    for (const stop of stops) stop();
    await queue.shutDown();
  }
}

function countPolicies({ policies }: PolicyPorts): ReadonlyMap<string, number> {
  const counts = new Map([
    ["True", 0],
    ["False", 0],
    ["Unknown", 0],
  ]);
  for (const { status } of policies.list()) {
    const state = status?.conditions?.find(({ type }) => type === "Ready")?.status ?? "Unknown";
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return counts;
}
