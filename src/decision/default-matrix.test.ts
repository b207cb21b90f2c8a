import { describe, expect, it } from "@jest/globals";
import { defaultMatrix, effectiveMatrix, KNOWN_SIGNALS } from "./default-matrix.ts";
import type { RowSpec } from "./matrix.ts";

const line = ({ when, action, severity, plan, hotfixDeadline, expiresAfter }: RowSpec) =>
  [when.signal, `> ${when.above}`, when.for, severity, action, plan, hotfixDeadline, expiresAfter]
    .filter((word) => word !== undefined)
    .join(" ");

describe("default matrix", () => {
  it("is the runbook's, row by row", () => {
    expect(defaultMatrix({ signals: KNOWN_SIGNALS, plans: ["application"] }).map(line)).toEqual([
      "error-rate > 0.10 2m SEV1 Rollback",
      "error-rate > 0.05 5m SEV3 Propose",
      "p95-latency > 5 5m SEV3 Prepare",
      "vulnerabilities > 0 0s SEV1 Rollback",
      "data-corruption > 0 0s SEV1 Rollback",
      "oom-kills > 2 0s SEV3 Rollback 15m",
      "endpoint-errors > 0.10 5m SEV3 Propose 30m",
    ]);
  });

  it("uses the plans `partial` and `restore` where a policy has them", () => {
    const rows = defaultMatrix({
      signals: ["endpoint-errors", "data-corruption"],
      plans: ["application", "partial", "restore"],
    });
    expect(rows.map(line)).toEqual([
      "data-corruption > 0 0s SEV1 Rollback",
      "data-corruption > 0 0s SEV1 Propose restore",
      "endpoint-errors > 0.10 5m SEV3 Rollback partial",
    ]);
  });

  it("has rows only for signals that are there, under names of their own", () => {
    expect(defaultMatrix({ signals: ["queue-age"], plans: ["application"] })).toEqual([]);
    const names = defaultMatrix({ signals: KNOWN_SIGNALS, plans: ["restore"] }).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("steps back for rows of the policy's own; each goes by the first plan where it names none", () => {
    const own = {
      name: "mine",
      when: { signal: "s", above: "1", for: "0s" },
      severity: "SEV1",
      action: "Notify",
    } as const;
    const signals = [{ name: "error-rate" }, { name: "s" }];
    expect(effectiveMatrix({ matrix: [own], signals })).toEqual([{ ...own, plan: "application" }]);
    const plans = [{ name: "main" }, { name: "other" }];
    expect(effectiveMatrix({ matrix: [own, { ...own, plan: "other" }], signals, plans })).toMatchObject([
      { plan: "main" },
      { plan: "other" },
    ]);
  });
});
