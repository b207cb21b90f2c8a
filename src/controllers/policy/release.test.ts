import { describe, expect, it } from "@jest/globals";
import type { RollbackLedger } from "../../kube/rollback-kinds.ts";
import { createFakeClock } from "../../kube/testing/fake-clock.ts";
import type { RevisionIdentity } from "../../workloads/revisions.ts";
import { emptyLedger } from "../ledger/ledger.ts";
import type { CompiledPolicy } from "./compile.ts";
import type { PolicyPorts } from "./ports.ts";
import { followRelease, recordBaked } from "./release.ts";
import { createRuntime } from "./runtime.ts";
import type { TargetView } from "./target.ts";

const START = Date.UTC(2026, 10, 22, 14, 0, 0);
const STEP = 15_000;
const TARGET = { group: "apps", kind: "Deployment", namespace: "shop", name: "api" };
const { signal } = new AbortController();
const compiled = {
  kind: "Compiled",
  rows: [{ name: "critical" }],
  signals: [],
  bakeMs: 2 * STEP,
  view: { intervalMs: STEP },
} as unknown as CompiledPolicy;

/** One ledger at a server, and how often it was written. */
function world() {
  const clock = createFakeClock(START);
  const state = { spec: emptyLedger(TARGET), writes: 0 };
  const client = {
    tryGet: async () => ({ metadata: {}, spec: state.spec }),
    replace: async (_type: unknown, object: RollbackLedger) => {
      state.spec = object.spec;
      state.writes += 1;
      return object;
    },
  };
  const ports = { client, clock } as unknown as PolicyPorts;
  return { ports, clock, state, runtime: createRuntime("shop/web", "u", 1, compiled, [], START) };
}

function revision(uid: string, number: number, former: readonly number[] = []): RevisionIdentity {
  return {
    uid,
    revision: number,
    formerRevisions: former,
    name: uid,
    podTemplateHash: uid,
    createdAt: "2026-11-22T13:00:00Z",
  };
}

function view(live: RevisionIdentity): TargetView {
  return { uid: "d", name: "api", desiredReplicas: 2, live, revisions: [live], rolloutComplete: true };
}

const FIRST = revision("rs-2", 2);
const AGAIN = revision("rs-1", 3, [1]);

describe("followRelease", () => {
  it("records a release once", async () => {
    const { ports, runtime, state } = world();
    await followRelease(ports, runtime, compiled, TARGET, view(FIRST), undefined, signal);
    expect(state.spec.releases).toMatchObject([{ replicaSetUid: "rs-2", startedAt: "2026-11-22T13:00:00Z" }]);
    // The cache still shows the ledger of before.
    await followRelease(ports, runtime, compiled, TARGET, view(FIRST), undefined, signal);
    await followRelease(ports, runtime, compiled, TARGET, view(FIRST), state.spec, signal);
    expect(state.writes).toBe(1);
  });

  it("knows the start of an old template that it saw become live", async () => {
    const { ports, runtime, clock, state } = world();
    await followRelease(ports, runtime, compiled, TARGET, view(FIRST), undefined, signal);
    await clock.advance(STEP);
    await followRelease(ports, runtime, compiled, TARGET, view(AGAIN), state.spec, signal);
    expect(state.spec.releases[1]).toMatchObject({ startedAt: new Date(START + STEP).toISOString() });
  });

  it("keeps that start when the first write of it fails", async () => {
    const { ports, runtime, clock, state } = world();
    await followRelease(ports, runtime, compiled, TARGET, view(FIRST), undefined, signal);
    await clock.advance(STEP);
    const failing = {
      ...ports,
      client: { tryGet: () => Promise.reject(new Error("down")) },
    } as unknown as PolicyPorts;
    await expect(
      followRelease(failing, runtime, compiled, TARGET, view(AGAIN), state.spec, signal),
    ).rejects.toThrow("down");
    await clock.advance(STEP);
    await followRelease(ports, runtime, compiled, TARGET, view(AGAIN), state.spec, signal);
    expect(state.spec.releases[1]).toMatchObject({ startedAt: new Date(START + STEP).toISOString() });
  });

  it("does not know it after a restart, or when it had looked away for long", async () => {
    const restarted = world();
    await followRelease(restarted.ports, restarted.runtime, compiled, TARGET, view(AGAIN), undefined, signal);
    expect(restarted.state.spec.releases[0]).not.toHaveProperty("startedAt");

    const { ports, runtime, clock, state } = world();
    await followRelease(ports, runtime, compiled, TARGET, view(FIRST), undefined, signal);
    await clock.advance(61_000);
    await followRelease(ports, runtime, compiled, TARGET, view(AGAIN), state.spec, signal);
    expect(state.spec.releases[1]).not.toHaveProperty("startedAt");
  });
});

describe("recordBaked", () => {
  it("records known good once, also while the cache lags", async () => {
    const { ports, runtime, state } = world();
    const stale = emptyLedger(TARGET);
    runtime.baking = { kind: "KnownGood", release: { replicaSetUid: "rs-2", revision: 2 }, at: START };
    for (let index = 0; index < 3; index += 1) {
      await recordBaked(ports, runtime, compiled, TARGET, view(FIRST), stale, signal);
    }
    expect(state.spec.knownGood).toMatchObject([
      { replicaSetUid: "rs-2", revision: 2, since: new Date(START).toISOString() },
    ]);
    expect(state.writes).toBe(1);
  });

  it("records nothing of a release that is not the live one any more, or bakes still", async () => {
    const { ports, runtime, state } = world();
    runtime.baking = { kind: "KnownGood", release: { replicaSetUid: "rs-2", revision: 2 }, at: START };
    await recordBaked(ports, runtime, compiled, TARGET, view(AGAIN), undefined, signal);
    runtime.baking = { kind: "Baking", release: { replicaSetUid: "rs-2", revision: 2 }, provenMs: 0 };
    await recordBaked(ports, runtime, compiled, TARGET, view(FIRST), undefined, signal);
    expect(state.writes).toBe(0);
  });
});
