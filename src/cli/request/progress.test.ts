import { describe, expect, it } from "@jest/globals";
import type { RollbackRequestStatus } from "../../crds/rollback-request.ts";
import { createOutput } from "../output/output.ts";
import { conditionOf, PLAN, requestOf, revisionOf, TIMELINE } from "../testing/requests.ts";
import { createProgressPrinter, progressOf } from "./progress.ts";
import { statusText } from "./status-text.ts";
import { coloursOf } from "../output/colours.ts";
import { endsOf, laterTexts, planTexts, versionOf, versionsOf } from "./wording.ts";

const NOW = Date.parse("2026-06-01T10:03:00Z");
const { accepted, applied, completed } = TIMELINE;

/** What a terminal-less `undo --wait` prints over these states. */
function printed(...states: readonly RollbackRequestStatus[]): {
  readonly out: string;
  readonly err: string;
} {
  let out = "";
  let err = "";
  const output = createOutput({ write: (text) => (out += text) }, { write: (text) => (err += text) }, {});
  const print = createProgressPrinter(output);
  for (const state of states) print(progressOf(requestOf(state), [], NOW));
  return { out, err };
}

function running(phase: RollbackRequestStatus["phase"], message: string, facts: RollbackRequestStatus = {}) {
  return {
    ...facts,
    ...(phase === undefined ? {} : { phase }),
    conditions: [conditionOf("Ready", "Unknown", phase ?? "Any", message)],
  };
}

const DONE: RollbackRequestStatus = {
  phase: "Succeeded",
  plan: PLAN,
  timeline: TIMELINE,
  steps: [
    {
      name: "app",
      state: "Succeeded",
      before: revisionOf(8, "web:v1.2.3"),
      after: revisionOf(9, "web:v1.2.2"),
    },
  ],
  checks: [{ name: "pods", outcome: "Passed", value: "4/4 ready", samples: 6 }],
  conditions: [
    conditionOf("Ready", "True", "RolledBack", "rolled back and verified: pods 4/4 ready"),
    conditionOf("Verified", "True", "Passed"),
  ],
};

describe("progress", () => {
  it("tells the story of a rollback, each thing once", () => {
    const verifying = [{ name: "pods", outcome: "Pending" as const, value: "4/4 ready", samples: 1 }];
    const { out } = printed(
      running("Planning", ""),
      running("Applying", "announced", { plan: PLAN, timeline: { accepted } }),
      running("Applying", "2/4 updated, 1/4 available", { plan: PLAN, timeline: { accepted, applied } }),
      running("Applying", "2/4 updated, 1/4 available", { plan: PLAN, timeline: { accepted, applied } }),
      running("Verifying", "verifying", {
        plan: PLAN,
        checks: verifying,
        timeline: { accepted, applied, completed },
      }),
      DONE,
    );
    expect(out.split("\n")).toEqual([
      "plan 5f2c   Deployment/web   revision 8 (v1.2.3) -> revision 7 (v1.2.2)",
      "            warning: the old one is old",
      "applied     0.07s",
      "rolling     2/4 updated, 1/4 available",
      "complete    9s",
      "verifying   pods 4/4 ready",
      "done        rolled back and verified in 129s   (history: kubectl-rollback history)",
      "",
    ]);
  });

  it("counts what is undone apart, and does not call it planned", () => {
    const [planned] = PLAN.steps;
    if (planned === undefined) throw new TypeError("no plan");
    const undo = { ...planned, name: "undo-app", from: planned.to, to: planned.from };
    const timeline = { accepted, applied };
    const failed = { name: "app", state: "Failed", message: "no pods" } as const;
    const undone = { name: "undo-app", undoes: "app", state: "Succeeded", message: "4/4 available" } as const;
    const undoing = { plan: { ...PLAN, steps: [planned, undo] }, timeline, steps: [failed, undone] };

    const { out } = printed(
      running("Applying", "announced", { plan: PLAN, timeline }),
      running("Applying", "announced", undoing),
    );

    expect(out.match(/Deployment\/web/g)).toHaveLength(1);
    expect(out).toMatch(/^undo 1\/1 +app: 4\/4 available$/m);
  });

  it("prints a refusal as it stands, on standard error", () => {
    const message = "refused, nothing was changed: revision 5 is not in the history (kept: 7, 8, 9)";
    const conditions = [conditionOf("Ready", "False", "RevisionNotFound", message)];
    expect(printed({ phase: "Failed", conditions })).toEqual({ out: "", err: `${message}\n` });
  });

  it("says what it waits for", () => {
    expect(printed(running("Pending", "waits for RollbackRequest shop/other on the same target")).out).toBe(
      "waiting     waits for RollbackRequest shop/other on the same target\n",
    );
  });

  it("does not call verified what is inconclusive", () => {
    const message = "rolled back to revision 9; not verified, data was missing: error-rate (NoData)";
    const conditions = [
      conditionOf("Ready", "True", "RolledBack", message),
      conditionOf("Verified", "Unknown", "Inconclusive"),
    ];
    expect(printed({ ...DONE, conditions }).out).toContain(`done        ${message}\n`);
  });

  it("names since when the destination is known good", () => {
    const since = new Date(NOW).toISOString();
    const good = [{ replicaSetUid: "uid-7", podTemplateHash: "hash7", revision: 7, since, evidence: "" }];
    const [plan] = progressOf(requestOf({ phase: "Applying", plan: PLAN }), good, NOW);
    expect(plan?.text).toMatch(/-> revision 7 \(v1\.2\.2\), known good since \d\d:\d\d$/);
  });
});

describe("status text", () => {
  it("shows who, why, what, when, whether it helped, and the way back", () => {
    const trigger = {
      policy: "api",
      row: "error-rate-critical",
      sentence: "error rate 31.2% > 10% for 2m0s",
    };
    const request = requestOf({ ...DONE, trigger }, { severity: "SEV1" });
    const lines = statusText(request, {
      knownGood: [],
      now: NOW,
      colours: coloursOf(false),
      namespaceFlag: " -n shop",
    });
    expect(lines[0]).toBe(
      "web-undo-x7k2p   Succeeded, verified   by policy api, row error-rate-critical (SEV1)",
    );
    expect(lines.slice(1)).toEqual([
      "  why        error rate 31.2% > 10% for 2m0s",
      "  what       Deployment/web   revision 8 (v1.2.3) -> revision 7 (v1.2.2)",
      "  warning    the old one is old",
      expect.stringMatching(
        /^ {2}when {7}\S+ accepted {3}\+0\.07s patched {3}\+9s complete {3}\+129s verified$/,
      ),
      "  checks     pods 4/4 ready Passed (6 samples)",
      "  message    rolled back and verified: pods 4/4 ready",
      "  undo       kubectl-rollback undo deploy/web --to-revision 8 -n shop",
    ]);
  });

  it("offers no way back where nothing was changed", () => {
    const conditions = [
      conditionOf("Ready", "False", "AccessDenied", "refused, nothing was changed: no right"),
    ];
    const lines = statusText(requestOf({ phase: "Failed", conditions }), {
      knownGood: undefined,
      now: NOW,
      colours: coloursOf(false),
      namespaceFlag: "",
    });
    expect(lines).toEqual([
      "web-undo-x7k2p   Failed, AccessDenied",
      "  why        INC-231 5xx",
      "  message    refused, nothing was changed: no right",
    ]);
  });
});

describe("versions", () => {
  it.each([
    ["web:v1", "v1"],
    ["registry:5000/team/web:v1", "v1"],
    ["registry:5000/team/web", "registry:5000/team/web"],
    ["web:v1@sha256:0123456789abcdef0123", "v1"],
    ["web@sha256:0123456789abcdef0123", "sha256:0123456789ab"],
    ["app=registry:5000/team/web:v1", "app=v1"],
  ])("of %s is %s", (image, version) => {
    expect(versionOf(image)).toBe(version);
  });

  it("leaves out containers that stayed", () => {
    expect(versionsOf(revisionOf(2, "web:v2", "proxy:v9"), revisionOf(1, "web:v1", "proxy:v9"))).toEqual([
      "v2",
      "v1",
    ]);
  });

  it("are shown with replicas and restarts, each step by its name", () => {
    const step = { digest: "d", action: "a", object: "Deployment/web", changes: [], warnings: [] };
    const traffic = (subset: string) => ({
      traffic: {
        destination: { host: "web", subset },
        routes: [{ object: "VirtualService/web", uid: "u", digest: subset }],
      },
      replicas: 2,
    });
    const steps = [
      { ...step, name: "stop", from: { replicas: 2 }, to: { replicas: 0 } },
      { ...step, name: "site", from: revisionOf(2, "web:v2"), to: revisionOf(1, "web:v1") },
      { ...step, name: "fresh", from: revisionOf(1, "web:v1"), to: { restartedAt: "2026-01-01T00:00:00Z" } },
      { ...step, name: "start", nothingToDo: "it runs" },
      { ...step, name: "out", object: "VirtualService/web", from: traffic("v2"), to: traffic("v1") },
    ];

    expect(planTexts(steps, undefined, 0)).toEqual([
      "1. stop    Deployment/web   2 replicas -> 0 replicas",
      "2. site    Deployment/web   revision 2 (v2) -> revision 1 (v1)",
      "3. fresh   Deployment/web   revision 1 (v1) -> restarted",
      "4. start   Deployment/web   nothing to do: it runs",
      "5. out     VirtualService/web   traffic web (subset v2) -> web (subset v1)",
    ]);
    expect(endsOf({ replicas: 1 }, { replicas: 0 })).toEqual(["1 replica", "0 replicas"]);
    expect(endsOf(revisionOf(1, "web:v1"), { restartedAt: "2026-01-01T00:00:00Z" })).toEqual([
      "v1",
      "restarted",
    ]);
  });

  it("are shown with colours, and with what is done when the request is over", () => {
    const change = { change: "Replicas", objectUid: "u", during: 3, restore: 0, holdFor: "1h" } as const;
    const step = {
      name: "traffic",
      digest: "d",
      action: "blueGreen",
      object: "Service/web",
      from: { color: "green" },
      to: { color: "blue" },
      temporary: [
        { ...change, object: "Deployment/green", found: 3 },
        {
          ...change,
          change: "MinReplicas" as const,
          object: "HorizontalPodAutoscaler/blue",
          found: 1,
          restore: 1,
        },
      ],
      changes: [],
      warnings: [],
    };

    expect(planTexts([step], undefined, 0)).toEqual(["Service/web   color green -> color blue"]);
    expect(laterTexts(step)).toEqual([
      "Deployment/green 3 replicas -> 0 replicas, 1h after the step",
      "HorizontalPodAutoscaler/blue minReplicas 3 -> minReplicas 1, 1h after the step",
    ]);
  });

  it("names the images when only the repository differs", () => {
    expect(versionsOf(revisionOf(2, "b/web:v1"), revisionOf(1, "a/web:v1"))).toEqual([
      "b/web:v1",
      "a/web:v1",
    ]);
  });
});
