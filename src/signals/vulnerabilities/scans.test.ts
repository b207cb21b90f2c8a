import { describe, expect, it } from "@jest/globals";
import { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { report } from "../testing/reports.ts";
import { T0 } from "../testing/pods.ts";
import { LONGEST_IDS, MOST_SCANS, recordScans, scanOf, scansOf } from "./scan-record.ts";
import { allIds, reportFacts, targetOfReport, vulnerabilitiesOf } from "./scans.ts";

const EMPTY = RollbackLedgerSpec.parse({
  target: { group: "apps", kind: "Deployment", namespace: "shop", name: "web" },
});

describe("what is kept of a report", () => {
  const found = {
    "CVE-2": ["CRITICAL", "2024-03-01T10:00:00Z"],
    "CVE-1": ["LOW"],
    "CVE-3": ["UNKNOWN"],
    "CVE-4": ["HIGH", "no date"],
  } as const;

  it("is each ID with its severity and the day of its publication, and no prose", () => {
    const facts = reportFacts(report({ found }));
    expect(facts.listed).toEqual({
      Critical: "CVE-2@2024-03-01",
      High: "CVE-4",
      Medium: "",
      Low: "CVE-1",
      Unknown: "CVE-3",
    });
    expect(facts).toMatchObject({
      replicaSet: "web-2",
      container: "app",
      image: "index.docker.io/acme/web@sha256:web-2app",
      scannedAt: T0,
    });
    expect(JSON.stringify(facts)).not.toContain("prose");
    expect(allIds(facts)).toBe("CVE-1 CVE-2 CVE-3 CVE-4");
  });

  it("is counted from a severity on", () => {
    const facts = reportFacts(report({ found }));
    const ids = (severity: "Critical" | "High" | "Low") =>
      vulnerabilitiesOf(facts, severity).map(({ id }) => id);
    expect(ids("Critical")).toEqual(["CVE-2"]);
    expect(ids("High")).toEqual(["CVE-2", "CVE-4"]);
    expect(ids("Low")).toEqual(["CVE-2", "CVE-4", "CVE-1"]);
    expect(vulnerabilitiesOf(facts, "Critical")[0]?.publishedAt).toBe(Date.UTC(2024, 2, 1));
  });

  it("is an ID once, at its worst, although several packages have it", () => {
    const twice = report();
    const vulnerabilities = [
      { vulnerabilityID: "CVE-1", severity: "LOW" },
      { vulnerabilityID: "CVE-1", severity: "CRITICAL" },
      { vulnerabilityID: "CVE-1", severity: "HIGH" },
    ];
    const facts = reportFacts({ ...twice, report: { ...twice.report, vulnerabilities } });
    expect(facts.listed).toMatchObject({ Critical: "CVE-1", High: "", Low: "" });
  });

  it("is whose it is: by owner, by label, by annotation where the name is too long for one", () => {
    const byLabel = report({ replicaSet: "web-api-5d4f" });
    expect(targetOfReport(byLabel)).toBe("shop/web-api");
    const labels = { "trivy-operator.resource.kind": "ReplicaSet" };
    const annotations = { "trivy-operator.resource.name": "web-long-5d4f" };
    expect(targetOfReport({ metadata: { ...byLabel.metadata, labels, annotations } })).toBe("shop/web-long");
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "other-1", uid: "u" };
    expect(targetOfReport({ metadata: { ...byLabel.metadata, ownerReferences: [owner] } })).toBe(
      "shop/other",
    );
    expect(
      targetOfReport({
        metadata: { ...byLabel.metadata, labels: { ...labels, "trivy-operator.resource.kind": "Pod" } },
      }),
    ).toBeUndefined();
  });
});

describe("scans in the ledger", () => {
  const scan = (uid: string, at = T0, ids: Record<string, readonly [string]> = {}) =>
    scanOf(uid, reportFacts(report({ replicaSet: `web-${uid}`, scannedAt: at, found: ids })));

  it("are the newest of each container, and unchanged where they are known", () => {
    const first = recordScans(EMPTY, [scan("1", T0, { "CVE-1": ["LOW"] })], new Set());
    expect(recordScans(first, [scan("1", T0, { "CVE-1": ["HIGH"] })], new Set())).toBe(first);
    expect(recordScans(first, [scan("1", T0 - 1_000)], new Set())).toBe(first);
    const second = recordScans(first, [scan("1", T0 + 1_000)], new Set());
    expect(scansOf(second)).toEqual([scan("1", T0 + 1_000)]);
  });

  it("go when there are too many, those of the revisions that are compared last", () => {
    let ledger = recordScans(EMPTY, [scan("target", T0 - 1e9)], new Set(["target"]));
    for (let n = 0; n < 40; n += 1) {
      ledger = recordScans(ledger, [scan(String(n), T0 + n * 1_000)], new Set(["target", String(n)]));
    }
    expect(ledger.scans).toHaveLength(MOST_SCANS);
    expect(scansOf(ledger).map(({ replicaSetUid }) => replicaSetUid)).toContain("target");
    expect(RollbackLedgerSpec.safeParse(ledger).success).toBe(true);
  });

  it("hold no list that is longer than the schema allows: such an image is not known", () => {
    const many = Object.fromEntries(
      Array.from({ length: 4_000 }, (_, n) => [`CVE-2024-${100_000 + n}`, ["LOW"] as const]),
    );
    const long = scanOf("1", reportFacts(report({ found: many })));
    expect(allIds(reportFacts(report({ found: many }))).length).toBeGreaterThan(LONGEST_IDS);
    expect(long.ids).toBeUndefined();
    const ledger = recordScans(EMPTY, [long], new Set());
    expect(RollbackLedgerSpec.safeParse(ledger).success).toBe(true);
    expect(scansOf(ledger)).toEqual([long]);
  });
});
