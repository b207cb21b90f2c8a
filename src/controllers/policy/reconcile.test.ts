import { afterEach, describe, expect, it } from "@jest/globals";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { WHOLE, type Sample } from "../../decision/sample.ts";
import { Seats } from "../../prometheus/seats.ts";
import { KubeError } from "../../kube/errors.ts";
import type { ResourceType } from "../../kube/objects.ts";
import type { RollbackLedger, RollbackPolicy, RollbackRequest } from "../../kube/rollback-kinds.ts";
import { createStore } from "../../kube/store.ts";
import { createFakeClock } from "../../kube/testing/fake-clock.ts";
import type { Deployment, ReplicaSet } from "../../kube/well-known.ts";
import { REQUESTS_BY_POLICY, requestPolicy } from "./history.ts";
import { BY_TARGET, requestTargets } from "../request/request-controller.ts";
import { emptyLedger, targetHash } from "../ledger/ledger.ts";
import { deployment, policy, replicaSet, START } from "./testing/objects.ts";
import { UnaskedRuns } from "./unasked-runs.ts";
import { RecentRollbacks } from "./recent-rollbacks.ts";
import {
  POLICIES_BY_TARGET,
  policyTarget,
  REPLICA_SETS_BY_OWNER,
  replicaSetOwner,
  type PolicyPorts,
} from "./ports.ts";
import { runPolicyController } from "./policy-controller.ts";
import { READINESS_TURNS } from "./readiness-now.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const { stop } of running.splice(0)) await stop();
});
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
  const requests = createStore<RollbackRequest>({
    indexers: { [BY_TARGET]: requestTargets, [REQUESTS_BY_POLICY]: requestPolicy },
  });
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
  const asked: number[] = [];
  const sampleAt = (at: number): Sample => ({ kind: "Value", value: at >= hooks.breachesFrom ? 0.5 : 0 });
  const sampler = {
    server: "default",
    join: (query: unknown) => ({
      query,
      async read(at: number) {
        asked.push(at);
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
    evidence: { read: async () => ({}) },
  };
  const never = () => new Promise<never>(() => {});
  const deadSampler = {
    server: "other",
    join: (query: unknown) => ({ query, read: never, readPast: never, leave: () => undefined }),
    evidence: { read: never },
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
      get: (name: string) => ({
        server: { name, scrapeIntervalMs: 1_000 },
        sampler: name === "default" ? sampler : deadSampler,
        minimumIntervalMs: 0,
      }),
      onChange: () => () => {},
    },
    killSwitch: () => ({ kind: "Off" }),
    record: () => {},
    observer: { sampled: () => {}, decided: () => {} },
    automaticRollbacksPer10Minutes: options.cap ?? 5,
    sharedBreachTargets: 0,
    unaskedRuns: new UnaskedRuns(),
    newId: () => "random",
  } as unknown as PolicyPorts;
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
  const abort = new AbortController();
  const passes = { count: 0 };
  const errors: unknown[] = [];
  return {
    clock,
    created,
    statuses,
    hooks,
    stored,
    passes,
    errors,
    asked,
    deployments,
    replicaSets,
    /** The newest status of a policy. */
    latest: (name: string): NonNullable<RollbackPolicy["status"]> =>
      policies.get(`shop/${name}`)?.status ?? {},
    /** Runs the controller until the test ends. */
    run() {
      const hooksOfQueue = { onDone: () => void (passes.count += 1) };
      const ended = runPolicyController(
        {
          ports,
          recent: new RecentRollbacks(ledgers, () => clock.now()),
          clock,
          random: () => 0.5,
          hooks: hooksOfQueue,
          onError: (_key, error) => void errors.push(error),
          onPolicies: () => {},
        },
        abort.signal,
      );
      running.push({
        async stop() {
          abort.abort(new Error("the test is over"));
          await ended;
        },
      });
    },
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

describe("runPolicyController", () => {
  it("makes one request, however often it looks while its caches lag", async () => {
    const { run, created, clock, statuses, errors } = world(["api"]);
    run();
    await clock.advance(5_000);
    expect(errors).toEqual([]);
    expect(created).toHaveLength(1);
    expect(statuses.at(-1)?.lastDecision).toMatchObject({ verdict: "Rollback", requestRef: created[0] });
  });

  it("keeps the administrator's limit when targets decide at the same time, before any cache shows it", async () => {
    const { run, created, clock } = world(["a", "b", "c", "d"], { cap: 2 });
    run();
    await clock.advance(5_000);
    expect(created).toHaveLength(2);
  });

  it("does not act on a spec that changed while it sampled, and claims nothing about the new one", async () => {
    const { run, created, edit, hooks, statuses, clock } = world(["api"]);
    hooks.sampling = async () => {
      hooks.sampling = async () => {};
      edit("api", { suspend: true });
    };
    run();
    await clock.advance(5_000);
    expect(created).toEqual([]);
    expect(statuses).toMatchObject([
      { observedGeneration: 2, conditions: [{ type: "Ready", reason: "Suspended" }, {}, {}] },
    ]);
  });

  it("does not lose its decision when another writer comes first", async () => {
    const { run, hooks, statuses, created, clock } = world(["api"]);
    hooks.refuseStatus = true;
    run();
    await clock.advance(900);
    expect(created).toHaveLength(1);
    expect(hooks.refuseStatus).toBe(false);
    expect(statuses.at(-1)).toMatchObject({ lastDecision: { verdict: "Rollback" } });
  });

  it("writes nothing while nothing changes, and evaluates at fixed instants", async () => {
    const { run, statuses, clock, edit, asked } = world(["api"]);
    edit("api", { mode: "Observe" });
    run();
    await clock.advance(2_000);
    const written = statuses.length;
    const before = asked.length;
    await clock.advance(100_000);
    expect(statuses).toHaveLength(written);
    const instants = asked.slice(before);
    expect(instants).toHaveLength(100);
    expect(new Set(instants.map((at) => at % 1_000)).size).toBe(1);
  });

  it("makes no pass while evaluations are quiet, and one at the instant when a row fires", async () => {
    const { run, clock, hooks, passes, created, stored } = world(["api"]);
    hooks.breachesFrom = START + 60_300;
    run();
    await clock.advance(30_000);
    const before = passes.count;
    await clock.advance(30_000);
    expect(passes.count).toBe(before);
    expect(created).toEqual([]);
    await clock.advance(20_000);
    expect(created).toHaveLength(1);
    const [entry] = [...stored.values()].flatMap(({ automatic }) => automatic);
    const onset = Date.parse(entry?.trigger.breachSince ?? "");
    // The first and the last breach of `for: 5s` are both evaluated: the very tick that completes it decides.
    expect(onset).toBeGreaterThanOrEqual(hooks.breachesFrom);
    expect(Date.parse(entry?.at ?? "") - onset).toBe(5_000);
  });

  it("follows a new revision when the caches show it, not at the next evaluation", async () => {
    const { run, clock, hooks, stored, deployments, replicaSets } = world(["api"]);
    hooks.breachesFrom = Number.POSITIVE_INFINITY;
    run();
    await clock.advance(30_000);
    replicaSets.upsert(replicaSet("api", 3));
    const next = deployment("api", 3);
    deployments.upsert({ ...next, metadata: { ...next.metadata, resourceVersion: "9" } });
    await clock.advance(0);
    const releases = [...stored.values()].flatMap((ledger) => ledger.releases);
    expect(releases.map(({ revision }) => revision)).toEqual([2, 3]);
  });

  it("evaluates policies of a living server while another one answers nothing", async () => {
    const { run, clock, edit, created, hooks } = world(["dead", "api"]);
    const ratio = { bad: "errors_total", total: "requests_total", window: "4s" };
    edit("dead", {
      signals: [{ name: "error-rate", prometheus: { server: "other", ratio, minimumRequests: 0 } }],
    });
    hooks.breachesFrom = START + 3_000;
    run();
    await clock.advance(10_000);
    expect(created).toHaveLength(1);
    expect(created[0]).toContain("api");
  });

  describe("when many policies ask whether they could roll back", () => {
    const names = Array.from({ length: READINESS_TURNS * 2 + 3 }, (_, index) => `p${index}`);
    const rollbackReady = ({ conditions = [] }: NonNullable<RollbackPolicy["status"]>) =>
      conditions.find(({ type }) => type === "RollbackReady")?.reason;
    const plans = (hooks: ReturnType<typeof world>["hooks"]) => {
      const waiting: (() => void)[] = [];
      hooks.planning = () => new Promise((resolve) => void waiting.push(resolve));
      return waiting;
    };

    it("makes a few plans at a time, until all have one", async () => {
      const { run, hooks, clock, latest } = world(names);
      hooks.breachesFrom = Number.POSITIVE_INFINITY;
      const waiting = plans(hooks);
      run();
      await clock.advance(1_000);
      for (let left = names.length; left > 0; left -= 1) {
        expect(waiting).toHaveLength(Math.min(left, READINESS_TURNS));
        waiting.shift()?.();
        await clock.advance(0);
      }
      expect(names.map((name) => rollbackReady(latest(name)))).toEqual(names.map(() => "Planned"));
    });

    it("says that nothing is known where plans take long, and goes on evaluating", async () => {
      const { run, hooks, clock, latest, asked } = world(names);
      hooks.breachesFrom = Number.POSITIVE_INFINITY;
      const waiting = plans(hooks);
      run();
      await clock.advance(5_000);
      expect(names.map((name) => rollbackReady(latest(name)))).toEqual(names.map(() => "NotAsked"));
      expect(latest("p0").conditions).toContainEqual(
        expect.objectContaining({ type: "RollbackReady", status: "Unknown", observedGeneration: 1 }),
      );
      const before = asked.length;
      await clock.advance(2_000);
      expect(asked.length - before).toBe(2 * names.length);
      hooks.planning = async () => {};
      for (const answer of waiting.splice(0)) answer();
      await clock.advance(0);
      expect(names.map((name) => rollbackReady(latest(name)))).toEqual(names.map(() => "Planned"));
    });

    it("acts on a breach at once, whoever waits", async () => {
      const { run, hooks, created, clock } = world([...names, "api"]);
      hooks.breachesFrom = Number.POSITIVE_INFINITY;
      const waiting = plans(hooks);
      run();
      await clock.advance(2_000);
      hooks.breachesFrom = START + 2_000;
      hooks.planning = async () => {};
      await clock.advance(8_000);
      // No row of the limit: five are decided, whoever waits for a plan that is only shown.
      expect(created).toHaveLength(5);
      for (const answer of waiting) answer();
    });
  });
});
