import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { coloursOf } from "../output/colours.ts";
import { explainPolicy } from "./explanation.ts";
import { CONFIG_FILE, CONFIG_PLACE } from "./read-snapshot.ts";
import { seen } from "./seen.ts";
import type { Snapshot } from "./snapshot.ts";
import { acted, ago, blindSnapshotOf, firing, ledgerOf, policyOf, snapshotOf } from "./testing/snapshots.ts";
import { explanationText } from "./text.ts";

function lines(snapshot: Snapshot): readonly string[] {
  return explanationText(explainPolicy(snapshot), coloursOf(false));
}

const HELD = {
  policy: policyOf({}, firing(150)),
  ledger: seen(ledgerOf({ automatic: [acted(1_080)] })),
};

describe("the text of an explanation", () => {
  it("begins with the verdict, and with what it rests on", () => {
    expect(lines(snapshotOf(HELD)).slice(0, 12)).toEqual([
      "api   would not act now: row error-rate-critical fires, held by cool-down, 12m left   (14:05:33 UTC)",
      "target      deploy/web   revision 8 is live, started 12m ago, not known good yet (bakes)",
      "back to     would go back to revision 7 (web:v1)",
      "decided     nothing yet",
      "requests    none is open",
      "freeze      no windows",
      "hotfix      none is announced",
      "operator    pod-1 leads",
      "",
      "SIGNAL        STATE    FOR     DETAIL",
      "error-rate    Breach   2m30s   22% when that began",
      "p95-latency   Ok       2h      0.31s when that began",
    ]);
  });

  it("shows every row with its phase, and every guard with whom it binds", () => {
    const text = lines(snapshotOf(HELD));
    expect(text).toContain(
      "error-rate-critical   error-rate > 10% for 2m   Rollback SEV1   fires, breaches for 2m30s",
    );
    expect(text.find((line) => line.startsWith("cool-down"))).toMatch(
      /^cool-down +refuses +automatic only, warns people +12m left: automatic rollback at 13:47:33, cool-down of 30m: allowed from 14:17:33$/,
    );
    expect(text.find((line) => line.startsWith("kill switch"))).toMatch(/^kill switch +ok +people too$/);
  });

  it("says of a signal without data that nothing is done on it", () => {
    const detail = "query returned nothing (pods running: 4)";
    const signals = [{ name: "error-rate", state: "NoData" as const, detail, since: ago(180) }];
    const text = lines(blindSnapshotOf({ policy: policyOf({}, { signals }) }));
    expect(text).toContain(`error-rate    NoData         3m    ${detail}; never acts on missing data`);
    expect(text).toContain("p95-latency   not measured         never acts on missing data");
    expect(text).toContain("requests    not visible to you: no right to list rollbackrequests");
  });

  it("names an open freeze window and a hotfix", () => {
    const freeze = [{ name: "sunday", schedule: "0 0 * * SUN", duration: "24h", allow: ["SEV1"] }];
    const policy = policyOf({ guards: { freeze } });
    const annotations = { "rollback.llm-research-lab.io/hotfix-eta": ago(-300) };
    const announced = { ...policy, metadata: { ...policy.metadata, annotations } };
    const text = lines(snapshotOf({ policy: announced }));
    expect(text).toContain(
      "freeze      window sunday is open until 2026-11-23T00:00:00Z: only rows of SEV1 may act",
    );
    expect(text).toContain("hotfix      announced for 14:10:33, in 5m");
  });

  it("colours the verdict by what it means", () => {
    const [head = ""] = explanationText(explainPolicy(snapshotOf()), coloursOf(true));
    expect(head).toContain("\u001B[32mwould not act now: no row fires\u001B[39m");
  });
});

describe("the operator's configuration", () => {
  it("is looked for where the manifests put it", () => {
    const { metadata, data } = parse(readFileSync("deploy/manifests/config.yaml", "utf8"));
    expect(metadata).toMatchObject(CONFIG_PLACE);
    expect(Object.keys(data)).toEqual([CONFIG_FILE]);
  });
});
