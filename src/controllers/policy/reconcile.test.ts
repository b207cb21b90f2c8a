import { describe, expect, it } from "@jest/globals";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { RollbackPolicySpec } from "../../crds/rollback-policy.ts";
import { WHOLE, type Sample } from "../../decision/sample.ts";
import { Seats } from "../../prometheus/seats.ts";
import { KubeError } from "../../kube/errors.ts";
import type { ResourceType } from "../../kube/objects.ts";
import type { RollbackLedger, RollbackPolicy, RollbackRequest } from "../../kube/rollback-kinds.ts";
import { createStore } from "../../kube/store.ts";
import { createFakeClock } from "../../kube/testing/fake-clock.ts";
import type { Deployment, ReplicaSet } from "../../kube/well-known.ts";
import { BY_TARGET, requestTargets } from "../request/request-controller.ts";
import { emptyLedger, targetHash } from "../ledger/ledger.ts";
import {
  POLICIES_BY_TARGET,
  policyTarget,
  REPLICA_SETS_BY_OWNER,
  replicaSetOwner,
  type PolicyPorts,
} from "./ports.ts";
import { GoingBreaches } from "./going-breaches.ts";
import { RecentRollbacks } from "./recent-rollbacks.ts";
import { reconcilePolicy, type PolicyMemory } from "./reconcile.ts";
import { Turns } from "./turns.ts";

const START = Date.UTC(2026, 10, 22, 14, 0, 0);
/** Plans that are made at the same time only to be shown. */
const TURNS = 3;
const { signal } = new AbortController();
const CONFLICT = new KubeError({
  code: 409,
  reason: "Conflict",
  verb: "replace",
  target: "",
  path: "",
  detail: "the object has been modified",
  retryable: false,
  outcomeUnknown: false,
});

/** Policies on Deployments whose second revision breaches from its start, with a first one that is known good. */
function world(names: readonly string[], options: { readonly cap?: number } = {}) {
  const clock = createFakeClock(START);
  const policies = createStore<RollbackPolicy>({ indexers: { [POLICIES_BY_TARGET]: policyTarget } });
  const requests = createStore<RollbackRequest>({ indexers: { [BY_TARGET]: requestTargets } });
  const ledgers = createStore<RollbackLedger>();
  const deployments = createStore<Deployment>();
  const replicaSets = createStore<ReplicaSet>({ indexers: { [REPLICA_SETS_BY_OWNER]: replicaSetOwner } });
  const stored = new Map<string, RollbackLedgerSpec>();
  const created: string[] = [];
  const statuses: NonNullable<RollbackPolicy["status"]>[] = [];
  const hooks = {
    sampling: async () => {},
    planning: async () => {},
    refuseStatus: false,
    breachesFrom: START - 20_000,
  };
  let version = 10;

  const client = {
    async tryGet({ kind }: ResourceType<never>, { name }: { name: string }) {
      if (kind !== "RollbackLedger") return {};
      const spec = stored.get(name);
      return spec && { metadata: {}, spec };
    },
    async replace(_type: unknown, { spec }: RollbackLedger) {
      stored.set(targetHash(spec.target), spec);
    },
    async create(_type: unknown, { metadata }: { metadata: { name: string } }) {
      created.push(metadata.name);
    },
    async replaceStatus(_type: unknown, object: RollbackPolicy) {
      if (hooks.refuseStatus) {
        hooks.refuseStatus = false;
        throw CONFLICT;
      }
      version += 1;
      if (object.status !== undefined) statuses.push(object.status);
      policies.upsert({ ...object, metadata: { ...object.metadata, resourceVersion: String(version) } });
    },
    as: () => client,
  };
  const sampleAt = (at: number): Sample => ({ kind: "Value", value: at >= hooks.breachesFrom ? 0.5 : 0 });
  const sampler = {
    server: "default",
    evidence: { read: async () => ({}) },
    join: () => ({
      async read(at: number) {
        await hooks.sampling();
        return sampleAt(at);
      },
      async readPast({ start, end, step }: { start: number; end: number; step: number }) {
        const samples = [];
        for (let at = start; at <= end; at += step) samples.push({ at, sample: sampleAt(at) });
        return { kind: "Ok", value: new Map([[WHOLE, samples]]) };
      },
      leave: () => undefined,
    }),
  };
  const to = { revision: 1, uid: "rs-1", name: "rs-1", podTemplateHash: "h1", images: [] };
  const ports = {
    client,
    clock,
    policies,
    requests,
    ledgers,
    deployments,
    replicaSets,
    actions: {
      bind: (name: string, { workload }: { workload: { name: string } }) => ({
        name,
        kind: "workload",
        object: `Deployment/${workload.name}`,
        rights: [],
        lockKeys: (namespace: string) => [
          { group: "apps", kind: "Deployment", namespace, name: workload.name },
        ],
        plan: async () => {
          await hooks.planning();
          return { kind: "Planned", plan: { to, warnings: [] } };
        },
      }),
    },
    servers: {
      seats: new Seats(),
      get: () => ({ server: { name: "default", scrapeIntervalMs: 1_000 }, sampler, minimumIntervalMs: 0 }),
    },
    killSwitch: () => ({ kind: "Off" }),
    record: () => {},
    observer: { sampled: () => {}, decided: () => {} },
    automaticRollbacksPer10Minutes: options.cap ?? 5,
    sharedBreachTargets: 0,
    newId: () => "random",
  } as unknown as PolicyPorts;
  const memory: PolicyMemory = {
    runtimes: new Map(),
    recent: new RecentRollbacks(ledgers),
    breaches: new GoingBreaches(),
    turns: new Turns(TURNS),
  };

  for (const name of names) {
    const target = { group: "apps", kind: "Deployment", namespace: "shop", name };
    const known = {
      replicaSetUid: `${name}-1`,
      podTemplateHash: `${name}-1`,
      revision: 1,
      since: "",
      evidence: "",
    };
    const spec = { ...emptyLedger(target), knownGood: [known] };
    stored.set(targetHash(target), spec);
    ledgers.upsert({
      metadata: { namespace: "shop", name: targetHash(target), uid: `l-${name}`, resourceVersion: "1" },
      spec,
    } as RollbackLedger);
    deployments.upsert(deployment(name));
    replicaSets.upsert(replicaSet(name, 1));
    replicaSets.upsert(replicaSet(name, 2));
    policies.upsert(policy(name));
  }
  return {
    clock,
    created,
    statuses,
    hooks,
    stored,
    reconcile: (name: string) => reconcilePolicy(ports, memory, `shop/${name}`, signal),
    edit(name: string, change: object) {
      const old = policies.get(`shop/${name}`);
      if (old === undefined) throw new Error(`no policy ${name}`);
      version += 1;
      const { generation = 1 } = old.metadata;
      const metadata = { ...old.metadata, generation: generation + 1, resourceVersion: String(version) };
      policies.upsert({ ...old, metadata, spec: { ...old.spec, ...change } });
    },
  };
}

function metadataOf(name: string, uid: string) {
  const creationTimestamp = new Date(START - 30_000).toISOString();
  return { namespace: "shop", name, uid, resourceVersion: "1", generation: 1, creationTimestamp };
}

function policy(name: string): RollbackPolicy {
  const ratio = { bad: 'errors_total{code="500"}', total: "requests_total", window: "4s" };
  const spec = RollbackPolicySpec.parse({
    target: { kind: "Deployment", name },
    serviceAccountName: "rollback-executor",
    interval: "1s",
    signals: [{ name: "error-rate", prometheus: { ratio } }],
    matrix: [
      { name: "critical", when: { signal: "error-rate", above: "0.1", for: "5s" }, action: "Rollback" },
    ],
    guards: { settle: "0s", cooldown: "30m", maxPerDay: 3, maxBreachAge: "20m" },
  });
  return { metadata: metadataOf(name, `p-${name}`), spec } as RollbackPolicy;
}

function deployment(name: string): Deployment {
  const annotations = { "deployment.kubernetes.io/revision": "2" };
  const status = {
    observedGeneration: 1,
    replicas: 1,
    updatedReplicas: 1,
    availableReplicas: 1,
    readyReplicas: 1,
  };
  return {
    metadata: { ...metadataOf(name, `d-${name}`), annotations },
    spec: {},
    status,
  } as unknown as Deployment;
}

function replicaSet(name: string, revision: number): ReplicaSet {
  const uid = `${name}-${revision}`;
  return {
    metadata: {
      ...metadataOf(uid, uid),
      labels: { "pod-template-hash": `${name}${revision}` },
      annotations: { "deployment.kubernetes.io/revision": String(revision) },
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "Deployment", name, uid: `d-${name}`, controller: true },
      ],
    },
    spec: { replicas: 0, selector: {}, template: { spec: { containers: [] } } },
  } as unknown as ReplicaSet;
}

describe("reconcilePolicy", () => {
  it("makes one request, however often it looks while its caches lag", async () => {
    const { reconcile, created, clock, statuses } = world(["api"]);
    for (let index = 0; index < 5; index += 1) {
      await reconcile("api");
      await clock.advance(1_000);
    }
    expect(new Set(created).size).toBe(1);
    expect(created).toHaveLength(1);
    expect(statuses.at(-1)?.lastDecision).toMatchObject({ verdict: "Rollback", requestRef: created[0] });
  });

  it("keeps the administrator's limit when targets decide at the same time, before any cache shows it", async () => {
    const names = ["a", "b", "c", "d"];
    const { reconcile, created } = world(names, { cap: 2 });
    await Promise.all(names.map((name) => reconcile(name)));
    expect(created).toHaveLength(2);
  });

  it("does not act on a spec that changed while it sampled, and claims nothing about the new one", async () => {
    const { reconcile, created, edit, hooks, statuses } = world(["api"]);
    hooks.sampling = async () => {
      hooks.sampling = async () => {};
      edit("api", { suspend: true });
    };
    expect(await reconcile("api")).toEqual({ afterMs: 0 });
    expect(created).toEqual([]);
    expect(statuses).toEqual([]);
    await reconcile("api");
    expect(created).toEqual([]);
    expect(statuses).toMatchObject([
      { observedGeneration: 2, conditions: [{ type: "Ready", reason: "Suspended" }, {}, {}] },
    ]);
  });

  it("does not lose its decision when another writer comes first", async () => {
    const { reconcile, hooks, statuses, created } = world(["api"]);
    hooks.refuseStatus = true;
    expect(await reconcile("api")).toEqual({ afterMs: 50 });
    await reconcile("api");
    expect(created).toHaveLength(1);
    expect(statuses).toMatchObject([{ lastDecision: { verdict: "Rollback" } }]);
  });

  it("writes nothing while nothing changes, and evaluates at fixed instants", async () => {
    const { reconcile, statuses, clock, edit, hooks } = world(["api"]);
    edit("api", { mode: "Observe" });
    let samples = 0;
    hooks.sampling = async () => void (samples += 1);
    await reconcile("api");
    const written = statuses.length;
    for (let index = 0; index < 100; index += 1) {
      const next = await reconcile("api");
      await clock.advance("afterMs" in next ? next.afterMs : 0);
    }
    expect(statuses).toHaveLength(written);
    expect(samples).toBe(100);
  });

  describe("when many policies ask whether they could roll back", () => {
    const names = Array.from({ length: 10 }, (_, index) => `p${index}`);
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    const rollbackReady = ({ conditions = [] }: NonNullable<RollbackPolicy["status"]>) =>
      conditions.find(({ type }) => type === "RollbackReady")?.reason;

    it("makes a few plans at a time, until all have one", async () => {
      const { reconcile, hooks, statuses } = world(names);
      hooks.breachesFrom = Number.POSITIVE_INFINITY;
      const running: (() => void)[] = [];
      let most = 0;
      hooks.planning = () =>
        new Promise((resolve) => {
          running.push(resolve);
          most = Math.max(most, running.length);
        });
      const passes = Promise.all(names.map((name) => reconcile(name)));
      for (let left = names.length; left > 0; left -= 1) {
        await settle();
        expect(running).toHaveLength(Math.min(left, TURNS));
        running.shift()?.();
      }
      await passes;
      expect(most).toBe(TURNS);
      expect(statuses.map(rollbackReady)).toEqual(names.map(() => "Planned"));
    });

    it("does not wait longer than to the next tick: evaluates on, says that nothing is known, comes back", async () => {
      const { reconcile, hooks, statuses, clock, created } = world([...names, "late"]);
      hooks.breachesFrom = Number.POSITIVE_INFINITY;
      const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
      hooks.planning = () => answered;
      const hanging = names.slice(0, TURNS).map((name) => reconcile(name));
      await settle();
      const late = reconcile("late");
      await settle();
      await clock.advance(1_000);
      const { afterMs } = (await late) as { afterMs: number };
      expect(afterMs).toBeLessThanOrEqual(1_000);
      expect(statuses.map(rollbackReady)).toEqual(["NotAsked"]);
      expect(statuses[0]?.conditions).toContainEqual(
        expect.objectContaining({ type: "RollbackReady", status: "Unknown", observedGeneration: 1 }),
      );
      answer();
      await Promise.all(hanging);
      await reconcile("late");
      expect(statuses.map(rollbackReady)).toEqual(["NotAsked", "Planned", "Planned", "Planned", "Planned"]);
      expect(created).toEqual([]);
    });

    it("acts on a breach at once, whoever waits", async () => {
      const { reconcile, hooks, created } = world([...names, "api"]);
      hooks.breachesFrom = Number.POSITIVE_INFINITY;
      const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
      hooks.planning = () => answered;
      const waiting = names.map((name) => reconcile(name));
      await settle();
      hooks.breachesFrom = START - 20_000;
      hooks.planning = async () => {};
      await reconcile("api");
      expect(created).toHaveLength(1);
      answer();
      await Promise.all(waiting);
    });
  });
});
