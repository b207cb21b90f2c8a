import { describe, expect, it } from "@jest/globals";
import type { KubeClient } from "../../../kube/client.ts";
import type { Rollout } from "../../../kube/rollout-types.ts";
import type { ReplicaSet } from "../../../kube/well-known.ts";
import { liveRevisionOf, stableRevision } from "../../../workloads/live-revision.ts";
import type { Workload } from "../../../workloads/read-workload.ts";
import { rolloutRevisionsOf } from "../../../workloads/rollout-revisions.ts";
import { rolloutStateOf } from "../../../workloads/rollout-state.ts";
import { chooseRevision } from "../choose.ts";
import { abortFirst } from "./abort.ts";
import { needsNudge, NUDGED_AT } from "./nudge.ts";
import { rolloutProblem } from "./ready.ts";
import { waitsForPromotionOfStable } from "./resume.ts";
import { rolloutWarnings } from "./warnings.ts";

const { signal } = new AbortController();
const NOW = Date.parse("2026-01-02T00:00:00Z");
const HASH = "rollouts-pod-template-hash";

type Status = NonNullable<Rollout["status"]>;

/** `web` of version `v`, of which `h1` to `h3` are in the history and `h1` is stable. */
function rollout(v: number, status: Partial<Status> = {}, spec: Partial<Rollout["spec"]> = {}): Rollout {
  return {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Rollout",
    metadata: {
      name: "web",
      namespace: "shop",
      uid: "rollout",
      resourceVersion: "1",
      generation: 7,
      creationTimestamp: "",
    },
    spec: { replicas: 2, template: template(v), strategy: { canary: {} }, ...spec },
    status: { observedGeneration: "7", currentPodHash: `h${v}`, stableRS: "h1", ...status },
  };
}

const template = (v: number) => ({
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "app", image: `web:v${v}` }] },
});

function replicaSet(v: number): ReplicaSet {
  const labels = { app: "web", [HASH]: `h${v}` };
  const written = template(v);
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `web-h${v}`,
      uid: `set-${v}`,
      resourceVersion: "1",
      creationTimestamp: `2026-01-01T00:00:0${v}Z`,
      labels,
      annotations: { "rollout.argoproj.io/revision": String(v) },
      ownerReferences: [{ apiVersion: "", kind: "Rollout", name: "web", uid: "rollout", controller: true }],
    },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { ...written.spec, dnsPolicy: "ClusterFirst" } },
    },
  };
}

function workload(object: Rollout): Extract<Workload, { kind: "Rollout" }> {
  return { kind: "Rollout", object, revisions: rolloutRevisionsOf(object, [1, 2, 3].map(replicaSet)) };
}

describe("the live revision of a Rollout", () => {
  it("is the one that the controller says and whose template it is", () => {
    expect(liveRevisionOf(workload(rollout(3)))?.revision).toBe(3);
  });

  it.each([
    ["the controller has not seen the newest change", rollout(3, { observedGeneration: "6" })],
    ["the controller speaks of a template before", rollout(3, { currentPodHash: "h2" })],
    ["it has no ReplicaSet yet", rollout(4)],
  ])("is not known while %s", (_, object) => {
    expect(liveRevisionOf(workload(object))).toBeUndefined();
  });
});

describe("a strategy", () => {
  const choose = (object: Rollout) => {
    const now = workload(object);
    const live = liveRevisionOf(now);
    if (live === undefined) throw new Error("not live");
    return chooseRevision({
      to: { strategy: "Previous" },
      revisions: now.revisions,
      live,
      ledger: undefined,
      revisionHistoryLimit: 10,
      automatic: false,
      stable: stableRevision(now, live),
    });
  };

  it("means the stable version while an update is under way", () => {
    expect(choose(rollout(3))).toMatchObject({ kind: "Chosen", revision: { revision: 1 } });
  });

  it("means the one before once it is promoted", () => {
    expect(choose(rollout(3, { stableRS: "h3" }))).toMatchObject({ revision: { revision: 2 } });
  });
});

describe("before the template goes", () => {
  const patches: unknown[] = [];
  const executor = {
    patch: async (...args: readonly unknown[]) => patches.push(args[2]),
  } as unknown as KubeClient;
  const first = (object: Rollout) => abortFirst(object, { executor, now: NOW, signal });

  it("a canary under way is aborted, and nothing else of the status touched", async () => {
    const act = first(rollout(2));
    if (act?.kind !== "Ready") throw new Error("no write");
    await act.send();

    expect(act.leaves?.kind).toBe("Preparing");
    expect(patches).toEqual([
      {
        kind: "json",
        operations: [
          { op: "test", path: "/metadata/uid", value: "rollout" },
          { op: "test", path: "/spec/template", value: template(2) },
          { op: "test", path: "/status/stableRS", value: "h1" },
          { op: "add", path: "/status/abort", value: true },
        ],
      },
    ]);
  });

  it("an abort that the controller missed is followed by a touch", () => {
    expect(first(rollout(2, { abort: true }))).toMatchObject({
      kind: "Ready",
      leaves: { kind: "Preparing" },
    });
  });

  it.each([
    ["leaves traffic", { abort: true, abortedAt: "x", canary: { weights: { canary: { weight: 20 } } } }],
  ])("an abort that %s is waited for", (_, status) => {
    expect(first(rollout(2, status))?.kind).toBe("Preparing");
  });

  it.each([
    ["a canary whose abort is done", rollout(2, { abort: true, abortedAt: "x" })],
    ["a canary that is promoted", rollout(2, { stableRS: "h2" })],
    ["a blue/green rollout", rollout(2, {}, { strategy: { blueGreen: { activeService: "web" } } })],
  ])("nothing is to be done about %s", (_, object) => {
    expect(first(object)).toBeUndefined();
  });
});

describe("a controller is woken", () => {
  const unseen = rollout(1, { observedGeneration: "6" });
  const touched = (at: number): Rollout => ({
    ...unseen,
    metadata: { ...unseen.metadata, annotations: { [NUDGED_AT]: new Date(at).toISOString() } },
  });

  it.each([
    ["that has not seen the template", unseen],
    ["that has not seen an abort", rollout(2, { abort: true })],
    ["that has not seen a promotion", rollout(2, { controllerPause: true })],
    ["that slept through a touch", touched(NOW - 3_000)],
  ])("%s", (_, object) => {
    expect(needsNudge(object, NOW - 3_000, NOW)).toBe(true);
  });

  it.each([
    ["had no time yet", unseen, NOW - 2_999],
    ["was touched a moment ago", touched(NOW - 2_999), 0],
    ["has seen all", rollout(1), 0],
    ["waits for people", rollout(2, { controllerPause: true, pauseConditions: [{ reason: "x" }] }), 0],
  ])("but not where it %s", (_, object, changedAt) => {
    expect(needsNudge(object, changedAt, NOW)).toBe(false);
  });
});

describe("a pause before the switch", () => {
  const spec = { strategy: { blueGreen: { activeService: "web", autoPromotionEnabled: false } } };
  const pauseConditions = [{ reason: "BlueGreenPause" }];
  const blueGreen = { activeSelector: "h2" };

  it("is ended for the stable version", () => {
    expect(waitsForPromotionOfStable(rollout(1, { pauseConditions, blueGreen }, spec))).toBe(true);
  });

  it.each([
    ["another version", rollout(3, { pauseConditions, blueGreen }, spec)],
    [
      "an inconclusive analysis",
      rollout(1, { pauseConditions: [{ reason: "Inconclusive" }], blueGreen }, spec),
    ],
    [
      "the version that is active",
      rollout(1, { pauseConditions, blueGreen: { activeSelector: "h1" } }, spec),
    ],
    ["what the controller has not seen", rollout(1, { pauseConditions, observedGeneration: "6" }, spec)],
  ])("is left to people for %s", (_, object) => {
    expect(waitsForPromotionOfStable(object)).toBe(false);
  });
});

describe("a Rollout is complete", () => {
  const state = (object: Rollout) => rolloutStateOf({ kind: "Rollout", object });

  it("when it is healthy, stable and active", () => {
    expect(state(rollout(1, { phase: "Healthy" })).complete).toBe(true);
  });

  it.each([
    ["another version is stable", rollout(2, { phase: "Healthy" })],
    ["it is aborted", rollout(1, { phase: "Healthy", abort: true })],
    [
      "the Service names another version",
      rollout(
        1,
        { phase: "Healthy", blueGreen: { activeSelector: "h2" } },
        { strategy: { blueGreen: { activeService: "web" } } },
      ),
    ],
    ["it is paused", rollout(1, { phase: "Paused", message: "CanaryPauseStep" })],
    ["the change is not seen", rollout(1, { phase: "Healthy", observedGeneration: "6" })],
  ])("but not while %s", (_, object) => {
    expect(state(object).complete).toBe(false);
  });
});

it("cannot be put back while it is paused, invalid, keeps pods apart, or only refers to its template", () => {
  const invalid = [{ type: "InvalidSpec", status: "True", message: "no strategy" }];
  expect(rolloutProblem(rollout(1))).toBeUndefined();
  expect(rolloutProblem(rollout(1, {}, { paused: true }))?.reason).toBe("Paused");
  const apart = { strategy: { canary: { antiAffinity: {} } } };
  expect(rolloutProblem(rollout(1, {}, apart))?.reason).toBe("AntiAffinity");
  expect(rolloutProblem(rollout(1, { conditions: invalid }))?.message).toContain("no strategy");
  expect(
    rolloutProblem(rollout(1, {}, { workloadRef: { kind: "Deployment", name: "x" } }))?.message,
  ).toContain("Deployment/x");
});

describe("the plan says how Argo Rollouts goes back", () => {
  const steps = [{ setWeight: 20 }, { pause: {} }];
  const to = (v: number, object: Rollout) => {
    const now = workload(object);
    return rolloutWarnings(
      now,
      now.revisions.find(({ revision }) => revision === v),
    ).join("; ");
  };

  it.each([
    ["to the stable version", 1, rollout(2), /aborted first.*revision 1 is the stable one/],
    [
      "within the window",
      2,
      rollout(3, { stableRS: "h3" }, { rollbackWindow: { revisions: 1 } }),
      /within the rollbackWindow/,
    ],
    [
      "beyond the window",
      1,
      rollout(3, { stableRS: "h3" }, { rollbackWindow: { revisions: 1 }, strategy: { canary: { steps } } }),
      /^outside a rollbackWindow .* all 2 steps of the canary again/,
    ],
    ["without steps", 2, rollout(3, { stableRS: "h3" }), /^$/],
    [
      "promoted by hand",
      2,
      rollout(
        3,
        { stableRS: "h3" },
        { strategy: { blueGreen: { activeService: "web", autoPromotionEnabled: false } } },
      ),
      /waits for a promotion/,
    ],
  ])("%s", (_, v, object, expected) => {
    expect(to(v, object)).toMatch(expected);
  });
});
