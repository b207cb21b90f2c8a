import { describe, expect, it } from "@jest/globals";
import { POLICY_ANNOTATIONS } from "../../crds/annotations.ts";
import type { RollbackPolicyStatus } from "../../crds/policy-status.ts";
import type { LedgerAutomatic } from "../../crds/rollback-ledger.ts";
import { GUARDS } from "../../decision/guards/chain.ts";
import { requestOf } from "../testing/requests.ts";
import { explainPolicy, type Explanation } from "./explanation.ts";
import { hidden, seen } from "./seen.ts";
import type { Snapshot } from "./snapshot.ts";
import {
  acted,
  ago,
  blindSnapshotOf,
  CALM_STATUS,
  condition,
  firing,
  ledgerOf,
  policyOf,
  snapshotOf,
} from "./testing/snapshots.ts";

function explained(change: Partial<Snapshot> = {}): Explanation {
  return explainPolicy(snapshotOf(change));
}

function verdict(change: Partial<Snapshot> = {}) {
  return explained(change).verdict;
}

function guard(explanation: Explanation, name: string) {
  return explanation.guards.find((each) => each.guard === name);
}

/** The operator has found this out about the breach. */
function decided(
  attribution: string,
  change: Partial<NonNullable<RollbackPolicyStatus["lastDecision"]>> = {},
) {
  const lastDecision = {
    row: "error-rate-critical",
    verdict: "Propose" as const,
    reason: "error-rate 22% > 10%",
    at: ago(20),
    attribution,
    ...change,
  };
  return { ...firing(150), lastDecision };
}

describe("the guards of an explanation", () => {
  it("are those of the operator, in its order", () => {
    expect(explained().guards.map((each) => each.guard)).toEqual(GUARDS.map(({ name }) => name));
  });

  it("answer before a row fires, but for those that look at the row", () => {
    const asked = explained().guards.filter(({ state }) => state === "AskedWhenARowFires");
    expect(asked.map((each) => each.guard)).toEqual([
      "breach age",
      "attribution",
      "hotfix",
      "shared breach",
      "certainty",
    ]);
    expect(explained().guards.filter(({ state }) => state === "Ok")).toHaveLength(GUARDS.length - 5);
  });

  it("all answer when a row fires and the operator has told of its cause", () => {
    const { guards } = explained({ policy: policyOf({}, decided("Caused")) });
    expect(guards.filter(({ state }) => state !== "Ok")).toEqual([]);
  });

  it("are unknown, and never guessed, for who may only read the policy", () => {
    const blind = explainPolicy(blindSnapshotOf());
    const visible = blind.guards.filter(({ state }) => state === "Ok").map((each) => each.guard);
    expect(visible).toEqual(["suspended", "mode", "executor", "freeze window"]);
    expect(guard(blind, "kill switch")).toMatchObject({
      state: "Hidden",
      message: "no right to get ConfigMap rollback-system/rollback-kill-switch",
    });
    expect(guard(blind, "cool-down")).toMatchObject({ message: "no right to get rollbackledgers" });
    expect(blind.requests).toBeUndefined();
    expect(blind.hotfix).toEqual({ kind: "NotVisible", message: "no right to get deployments" });
  });

  it("take the live release from the status where the workload is not seen", () => {
    const release = {
      revision: 8,
      replicaSetUid: "u",
      podTemplateHash: "h",
      startedAt: ago(20),
      knownGoodSince: ago(10),
    };
    const blind = explainPolicy(blindSnapshotOf({ policy: policyOf({}, { release }) }));
    expect(guard(blind, "settled")).toMatchObject({ state: "Refuses", retryAt: ago(-40) });
    expect(guard(blind, "no rollback of a rollback")).toMatchObject({ state: "Hidden" });
    expect(blind.release).toMatchObject({ kind: "Live", revision: 8, knownGood: true });
  });

  it("name an annotation, and do not swear to one that they do not see", () => {
    const policy = policyOf();
    const annotations = { [POLICY_ANNOTATIONS.freeze]: "true" };
    const frozen = { ...policy, metadata: { ...policy.metadata, annotations } };
    expect(guard(explainPolicy(blindSnapshotOf({ policy: frozen })), "freeze annotation")).toMatchObject({
      state: "Refuses",
      message: expect.stringContaining("RollbackPolicy/api has the annotation"),
      people: "RefusedUnlessSev1",
    });
    expect(guard(explainPolicy(blindSnapshotOf()), "freeze annotation")?.state).toBe("Hidden");
  });

  it("count what all targets do", () => {
    const ledgers = ["a", "b", "c", "d", "e"].map((request) => ({
      apiVersion: "rollback.llm-research-lab.io/v1alpha1",
      kind: "RollbackLedger",
      metadata: { name: request, uid: request, resourceVersion: "1", creationTimestamp: ago(99) },
      spec: ledgerOf({ automatic: [{ ...acted(60), request }] }),
    }));
    const busy = explained({ ledgers: seen(ledgers) });
    expect(guard(busy, "blast radius")).toMatchObject({ state: "Refuses", reason: "BlastRadius" });

    const others = ["a", "b", "c", "d"].map((uid) => {
      const matrix = [
        {
          name: "error-rate-critical",
          when: "",
          action: "Rollback" as const,
          severity: "SEV1" as const,
          plan: "application",
        },
      ];
      const other = policyOf({}, { ...firing(140), matrix });
      return { ...other, metadata: { ...other.metadata, uid } };
    });
    const shared = explained({ policy: policyOf({}, firing(150)), policies: seen(others) });
    expect(guard(shared, "shared breach")).toMatchObject({
      state: "Refuses",
      message: expect.stringContaining("5 targets began to breach"),
    });
  });

  it("do not tell of a breach that may be too old for the operator, who knows when it began to watch", () => {
    expect(guard(explained({ policy: policyOf({}, firing(1_500)) }), "breach age")).toMatchObject({
      state: "OperatorOnly",
    });
  });
});

describe("the verdict", () => {
  it("is that nothing fires", () => {
    expect(verdict()).toEqual({ kind: "NoRowFires", message: "would not act now: no row fires" });
  });

  it("names the signals without data", () => {
    const signals = [{ name: "error-rate", state: "NoData" as const, detail: "nothing", since: ago(180) }];
    const policy = policyOf({}, { signals: [...signals, ...(CALM_STATUS.signals ?? []).slice(1)] });
    expect(verdict({ policy }).message).toBe(
      "would not act now: no row fires; never acts on missing data: error-rate NoData for 3m",
    );
  });

  it("says before a row fires what would hold it", () => {
    const ledger = seen(ledgerOf({ automatic: [acted(1_080)] }));
    expect(verdict({ ledger }).message).toBe(
      "would not act now: no row fires; if a row fired: held by cool-down, 12m left",
    );
    const message = `error-rate breaches since ${ago(50).slice(11, 19)}, row error-rate-critical fires at 14:06:43`;
    const pending = [
      ...(CALM_STATUS.conditions ?? []).slice(0, 2),
      condition("Breached", "False", "RowPending", message),
    ];
    expect(verdict({ policy: policyOf({}, { conditions: pending }), ledger }).message).toBe(
      "would not act yet: row error-rate-critical (Rollback) fires in 1m10s unless it recovers; then held by cool-down, 12m left",
    );
  });

  it("is to roll back where a row fires and nothing refuses", () => {
    expect(verdict({ policy: policyOf({}, decided("Likely")) })).toEqual({
      kind: "WouldRollBack",
      message: "would roll back: row error-rate-critical fires",
    });
  });

  it("tells what it does not know", () => {
    expect(verdict({ policy: policyOf({}, firing(150)) }).message).toBe(
      "would roll back: row error-rate-critical fires, unless a guard refuses that is not seen here: attribution, certainty",
    );
    const killSwitch = hidden("no right");
    expect(verdict({ policy: policyOf({}, decided("Likely")), killSwitch }).message).toContain(
      "not seen here: kill switch",
    );
  });

  it("is to ask where the cause is not known, and nothing where it is another", () => {
    expect(verdict({ policy: policyOf({}, decided("Unknown")) })).toMatchObject({ kind: "WouldAsk" });
    expect(verdict({ policy: policyOf({}, decided("Unlikely")) })).toMatchObject({
      kind: "Held",
      message: expect.stringContaining("held by attribution: unlikely to be caused by the last release"),
    });
  });

  it("does not take a decision of another breach for one of this", () => {
    const old = decided("Caused", { at: ago(900) });
    expect(guard(explained({ policy: policyOf({}, old) }), "certainty")?.state).toBe("OperatorOnly");
  });

  it.each<readonly [string, Partial<Snapshot>, string, RegExp]>([
    [
      "a cool-down",
      { ledger: seen(ledgerOf({ automatic: [acted(1_080)] })) },
      "Held",
      /^would not act now: row error-rate-critical fires, held by cool-down, 12m left$/,
    ],
    [
      "the kill switch",
      { killSwitch: seen({ kind: "On", message: "" }) },
      "Held",
      /held by kill switch: the kill switch is on/,
    ],
    [
      "no leader",
      { operator: seen({ leads: false, message: "nobody leads since 14:00" }) },
      "NotEvaluating",
      /^would not act now: nobody leads since 14:00$/,
    ],
    [
      "a request that runs",
      { requests: seen([requestOf({ phase: "Applying", target: "Deployment/web" })]) },
      "UnderWay",
      /request web-undo-x7k2p is under way/,
    ],
  ])("is nothing during %s", (_, change, kind, words) => {
    expect(verdict({ policy: policyOf({}, decided("Caused")), ...change })).toEqual({
      kind,
      message: expect.stringMatching(words),
    });
  });

  it.each<readonly [string, object, Partial<RollbackPolicyStatus>, RegExp]>([
    ["a suspended policy", { suspend: true }, {}, /suspended, nothing is evaluated/],
    ["mode Observe", { mode: "Observe" }, decided("Caused"), /held by mode: the policy only observes/],
    [
      "a policy that cannot be evaluated",
      {},
      { conditions: [condition("Ready", "False", "CannotEvaluate", "the server says 503")] },
      /would not act now: CannotEvaluate: the server says 503/,
    ],
    ["one that nobody has looked at", {}, { conditions: [] }, /no operator has looked at it yet/],
    [
      "a plan that would not work",
      {},
      {
        ...decided("Caused"),
        conditions: (firing(150).conditions ?? []).map((each) =>
          each.type === "RollbackReady"
            ? condition("RollbackReady", "False", "AccessDenied", "no right")
            : each,
        ),
      },
      /its plan would not work: AccessDenied: no right/,
    ],
  ])("is not to act for %s", (_, spec, status, words) => {
    const { kind, message } = verdict({ policy: policyOf(spec, status) });
    expect(message).toMatch(words);
    expect(kind).not.toMatch(/^Would/);
  });

  it("waits for the answer to a proposal, and tells how to give it", () => {
    const matrix = [
      {
        name: "error-rate-critical",
        when: { signal: "error-rate", above: "0.1", for: "2m" },
        action: "Propose",
      },
    ];
    const { replicaSets } = snapshotOf();
    const [, live] = replicaSets.kind === "Seen" ? replicaSets.value : [];
    const asked: LedgerAutomatic = {
      ...acted(20),
      uid: undefined,
      request: "web-ask",
      action: "Propose",
      replicaSetUid: live?.metadata.uid ?? "",
      revision: 8,
    };
    const waiting = requestOf(
      { phase: "AwaitingApproval", target: "Deployment/web" },
      { approval: "Required" },
    );
    const found = explained({
      policy: policyOf({ matrix }, decided("Caused")),
      ledger: seen(ledgerOf({ automatic: [asked] })),
      requests: seen([waiting]),
    });
    expect(found.verdict).toEqual({
      kind: "UnderWay",
      message: "has asked already: request web-ask for this release waits for approval",
    });
    expect(found.requests).toEqual([
      {
        name: "web-undo-x7k2p",
        phase: "AwaitingApproval",
        message: "for approval",
        commands: [
          "kubectl-rollback approve web-undo-x7k2p -n shop",
          "kubectl-rollback deny web-undo-x7k2p --reason TEXT -n shop",
        ],
      },
    ]);
  });
});

describe("queries", () => {
  it("are those of the operator where its configuration is seen", () => {
    const { queries, notes } = explained();
    expect(queries[0]).toEqual({
      signal: "error-rate",
      gives: "ratio",
      query:
        'sum by (app, namespace) (rate(http_requests_total{status=~"5..",app="web",namespace="shop"}[1m])) / sum by (app, namespace) (rate(http_requests_total{app="web",namespace="shop"}[1m]))',
    });
    expect(queries.map(({ signal }) => signal)).toEqual([
      "error-rate",
      "error-rate",
      "p95-latency",
      "p95-latency",
    ]);
    expect(notes).toEqual([]);
  });

  it("say what may be missing where it is not", () => {
    const { queries, notes } = explained({ config: hidden("no right") });
    expect(queries[1]?.query).toBe('sum by (app) (rate(http_requests_total{app="web"}[1m]))');
    expect(notes).toEqual([expect.stringContaining('mostly namespace="shop", to every selector')]);
  });

  it("name a server that the operator does not have", () => {
    const signals = [
      { name: "error-rate", prometheus: { server: "other", query: "up" } },
      { name: "paging", alert: { matchers: { alertname: "ApiDown" } } },
    ];
    const { queries, notes } = explained({ policy: policyOf({ signals }) });
    expect(notes).toEqual([
      'signal error-rate: the operator\'s configuration has no Prometheus server "other"',
    ]);
    expect(queries.at(-1)?.query).toBe(
      'count(ALERTS{alertstate="firing",alertname="ApiDown",namespace="shop"})',
    );
  });
});
