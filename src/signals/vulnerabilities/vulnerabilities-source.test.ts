import { describe, expect, it } from "@jest/globals";
import { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { VulnerabilitySignal } from "../../crds/vulnerability-signal.ts";
import { WHOLE } from "../../decision/sample.ts";
import type { SignalSubject } from "../source.ts";
import { iso, T0 } from "../testing/pods.ts";
import { report, type ReportShape } from "../testing/reports.ts";
import type { ReportView } from "./report-watch.ts";
import { reportFacts } from "./scans.ts";
import { vulnerabilitiesSource } from "./vulnerabilities-source.ts";

const TARGET = { group: "apps", kind: "Deployment", namespace: "shop", name: "web" };
const S = 1_000;
const LIVE = { replicaSetUid: "rs-2", name: "web-2", revision: 2, startedAt: T0 };
const BACK = { replicaSetUid: "rs-1", name: "web-1", revision: 1 };
const SUBJECT: SignalSubject = { namespace: "shop", desiredReplicas: 2, live: LIVE, rollbackTarget: BACK };
const { signal } = new AbortController();

function open(containers: readonly string[] | undefined = ["app"], severity = "Critical") {
  const state = {
    view: { kind: "Known", reports: [] } as ReportView,
    ledger: RollbackLedgerSpec.parse({ target: TARGET }),
    writes: 0,
    asked: 0,
  };
  const source = vulnerabilitiesSource({
    spec: VulnerabilitySignal.parse({ severity }),
    target: TARGET,
    reports: { view: () => state.view },
    ledger: {
      get: () => state.ledger,
      async change(_, change) {
        const after = change(state.ledger);
        if (after !== state.ledger) state.writes += 1;
        state.ledger = after;
      },
    },
    async containersOf() {
      state.asked += 1;
      return containers;
    },
    onError: (error) => {
      throw error;
    },
  });
  return {
    state,
    source,
    shows(...shapes: readonly ReportShape[]) {
      state.view = { kind: "Known", reports: shapes.map((shape) => reportFacts(report(shape))) };
    },
    read: async (subject = SUBJECT) => source.read(T0, subject, signal),
  };
}

const critical = (...ids: readonly string[]) =>
  Object.fromEntries(ids.map((id) => [id, ["CRITICAL", "2024-01-01T00:00:00Z"] as const]));

describe("the value", () => {
  it("is the number of IDs that the rollback target has not; its report may be gone by then", async () => {
    const { read, shows, state } = open();
    shows({ replicaSet: "web-1", found: critical("CVE-1", "CVE-8", "CVE-9") });
    // Revision 1 was live, with nothing to go back to.
    const first = { ...LIVE, ...BACK, startedAt: T0 - 86_400_000 };
    expect(await read({ ...SUBJECT, live: first, rollbackTarget: undefined })).toMatchObject({
      kind: "Value",
      value: 0,
      note: expect.stringContaining("no revision to go back to"),
    });
    shows({ found: { ...critical("CVE-1", "CVE-2", "CVE-3"), "CVE-4": ["HIGH"] } });
    expect(await read()).toEqual({
      kind: "Value",
      value: 2,
      note: "not in revision 1: CVE-2, CVE-3",
    });
    expect(await read()).toMatchObject({ value: 2 });
    expect(state.writes).toBe(2);
    expect(state.asked).toBe(2);
  });

  it("counts no ID that the target has at another severity", async () => {
    const { read, shows } = open();
    shows({ replicaSet: "web-1", found: { "CVE-1": ["LOW"] } }, { found: critical("CVE-1") });
    expect(await read()).toEqual({ kind: "Value", value: 0 });
  });

  it("is of every container, and of a moved image the same", async () => {
    const { read, shows } = open(["app", "proxy"]);
    const proxy = { container: "proxy", digest: "sha256:proxy", found: critical("CVE-7") };
    shows(
      { replicaSet: "web-1" },
      { replicaSet: "web-1", ...proxy },
      { found: critical("CVE-1") },
      { ...proxy, scannedAt: T0 + 9 * 86_400_000 },
    );
    expect(await read()).toMatchObject({ kind: "Value", value: 1, note: "not in revision 1: CVE-1" });
  });
});

describe("no verdict", () => {
  it("while a container of the live release has no report", async () => {
    const { read, shows } = open(["app", "proxy"]);
    shows({ found: critical("CVE-1") });
    expect(await read()).toEqual({
      kind: "NoData",
      detail: "no vulnerability report yet for container proxy of ReplicaSet web-2",
    });
  });

  it("of an instant before the live release began, however late it is read: it would speak for the release", async () => {
    const { source, shows } = open();
    shows({ found: critical("CVE-1") });

    expect(await source.read(T0 - 500, SUBJECT, signal)).toMatchObject({ kind: "NoData" });
    expect(await source.read(T0, SUBJECT, signal)).toMatchObject({ kind: "Value", value: 1 });
  });

  it("where the reports cannot be read, or the Deployment is not observed", async () => {
    const { read, state } = open();
    state.view = { kind: "Unknown", reason: "Failing", message: "install the Trivy Operator" };
    expect(await read()).toEqual({
      kind: "Error",
      detail: "vulnerability reports are not known: install the Trivy Operator",
    });
    state.view = { kind: "Known", reports: [] };
    expect(await read({ ...SUBJECT, live: undefined })).toMatchObject({ kind: "NoData" });
  });
});

const QUESTION = {} as Parameters<NonNullable<ReturnType<typeof open>["source"]["evidence"]>>[0];

describe("doubt, with which a row proposes instead of acting", () => {
  it("is there when nobody knows what the target has, unless the live release has nothing at all", async () => {
    const { read, shows, source } = open();
    const unscanned = expect.stringMatching(
      /what revision 1 has is not known \(no scan of container app\).*scanOnlyCurrentRevisions/,
    );
    shows({ found: critical("CVE-1") });
    expect(await read()).toEqual({ kind: "Value", value: 1, note: unscanned });
    expect(await source.evidence?.(QUESTION, signal)).toEqual({ failed: unscanned });
    shows({ found: { "CVE-1": ["HIGH"] } });
    expect(await read()).toEqual({ kind: "Value", value: 0 });
    expect(await source.evidence?.(QUESTION, signal)).toEqual({});
  });

  it("is about what became known after the target's last scan, as long as nothing is proven", async () => {
    const { read, shows, source } = open();
    const since = { "CVE-1": ["CRITICAL", iso(T0 - 86_400_000)] } as const;
    const older = { replicaSet: "web-1", scannedAt: T0 - 10 * 86_400_000 };
    const late = "CVE-1 became known after the last scan of revision 1, which may have it too";
    shows(older, { found: since });
    expect(await read()).toEqual({ kind: "Value", value: 1, note: late });
    expect(await source.evidence?.(QUESTION, signal)).toEqual({ failed: late });
    shows(older, { found: { ...since, ...critical("CVE-2") } });
    expect(await read()).toMatchObject({ value: 1, note: "not in revision 1: CVE-2" });
    expect(await source.evidence?.(QUESTION, signal)).toEqual({});
  });
});

describe("the past", () => {
  it("was well while the target was live, is as now since the scan, and unknown between", async () => {
    const { source, shows, state } = open();
    state.ledger = RollbackLedgerSpec.parse({
      target: TARGET,
      releases: [
        {
          targetUid: "t",
          replicaSetUid: "rs-1",
          podTemplateHash: "1",
          revision: 1,
          startedAt: iso(T0 - 3_600 * S),
        },
      ],
    });
    shows({ replicaSet: "web-1" }, { found: critical("CVE-1"), scannedAt: T0 + 120 * S });
    const past = await source.readPast(T0 - 60 * S, T0 + 180 * S, 60 * S, signal, SUBJECT);
    const samples = past.kind === "Read" ? (past.parts.get(WHOLE) ?? []) : [];
    expect(samples.map(({ sample }) => (sample.kind === "Value" ? sample.value : sample.kind))).toEqual([
      0,
      "NoData",
      "NoData",
      1,
      1,
    ]);
  });
});
