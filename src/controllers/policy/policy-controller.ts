import type { Clock, Random } from "../../kube/clock.ts";
import { fixedWorkers, runController } from "../../kube/controller.ts";
import { createWorkQueue, priorities, type WorkQueueHooks } from "../../kube/work-queue.ts";
import { evaluatePolicy } from "./evaluate.ts";
import { GoingBreaches } from "./going-breaches.ts";
import type { Tidings } from "./news.ts";
import { Pace } from "./pace.ts";
import { countPolicies } from "./policy-counts.ts";
import type { PolicyPorts } from "./ports.ts";
import { READINESS_TURNS, refreshReadiness } from "./readiness-now.ts";
import type { RecentRollbacks } from "./recent-rollbacks.ts";
import { readinessSubject, reconcilePolicy, type PolicyMemory } from "./reconcile.ts";
import { closePolicy } from "./compile.ts";
import type { PolicyRuntime } from "./runtime.ts";
import { Ticker } from "./ticker.ts";
import { queueAll, wakeOnChanges } from "./wake.ts";

/** Passes wait for the API server only, over not more than a few connections. */
const WORKERS = 64;

/** Longer means that the API server does not answer. */
const RECONCILE_TIMEOUT_MS = 60_000;

export interface PolicyControllerOptions {
  readonly ports: PolicyPorts;
  readonly recent: RecentRollbacks;
  readonly random: Random;
  readonly clock: Clock;
  readonly hooks: WorkQueueHooks;
  readonly onError: (key: string, error: unknown, retries: number) => void;
  /** Counts of policies by the status of their Ready condition. */
  readonly onPolicies: (counts: ReadonlyMap<string, number>) => void;
}

/**
 * Evaluates every RollbackPolicy at its interval, until the signal aborts. Three loops: the ticker evaluates and tells
 * what is news; passes decide and write; plans that are only shown are made a few at a time.
 */
export async function runPolicyController(
  options: PolicyControllerOptions,
  signal: AbortSignal,
): Promise<void> {
  const { ports, recent, clock, random, hooks } = options;
  const backoff = { baseMs: 200, maxMs: 30_000 };
  const queue = createWorkQueue({ clock, random, hooks, backoff });
  const plans = createWorkQueue({ clock, random, backoff });
  const pace = new Pace(clock);
  const ticker = new Ticker<PolicyRuntime>({
    clock,
    evaluate: (runtime, at, abort) =>
      evaluatePolicy(ports, runtime, at, (tidings) => wake(runtime.key, tidings), abort),
    onError: (key, error) => options.onError(key, error, 0),
    signal,
  });
  const readiness = {
    ask: (key: string) => plans.add(key, { priority: priorities.resync }),
    get isIdle() {
      return plans.depth === 0;
    },
  };
  const breaches = new GoingBreaches();
  const memory: PolicyMemory = { runtimes: new Map(), recent, breaches, ticker, readiness };
  const common = { timeoutMs: RECONCILE_TIMEOUT_MS, clock, onError: options.onError, signal };

  function wake(key: string, tidings: Tidings): void {
    if (tidings === "Quiet") return;
    queue.add(key, { priority: tidings === "Fires" ? priorities.urgent : priorities.normal });
  }

  const stops = [...wakeOnChanges(ports, queue), recent.follow(), countPolicies(ports, options.onPolicies)];
  queueAll(ports.policies, queue);
  try {
    await Promise.all([
      runController({
        ...common,
        queue,
        workers: fixedWorkers(WORKERS),
        reconcile: async (key, abort) => {
          await pace.next();
          return reconcilePolicy(ports, memory, key, abort);
        },
      }),
      runController({
        ...common,
        queue: plans,
        workers: fixedWorkers(READINESS_TURNS),
        reconcile: async (key, abort) => {
          await pace.next();
          const subject = readinessSubject(ports, memory.runtimes, key);
          return refreshReadiness(ports, subject, () => queue.add(key), abort);
        },
      }),
    ]);
  } finally {
    for (const stop of stops) stop();
    for (const runtime of memory.runtimes.values()) closePolicy(runtime.compiled);
    await Promise.all([queue.shutDown(), plans.shutDown()]);
  }
}
