import { describe, expect, it } from "@jest/globals";
import { createHash } from "node:crypto";
import {
  planIncidents,
  playIncident,
  type Incident,
  type IncidentPlan,
} from "../../bench/decisions/incident.ts";
import { summarise, wilson } from "../../bench/decisions/summary.ts";
import type { Outcome } from "../../bench/decisions/evaluate.ts";

/** The corpus that the decisions are judged by must itself be beyond doubt. */

function played(plan: IncidentPlan): { readonly incident: Incident; readonly digest: string } {
  const hash = createHash("sha256");
  const incident = playIncident(plan, (series, value, at) => hash.update(`${series} ${value} ${at}\n`));
  return { incident, digest: hash.digest("hex") };
}

function named(id: string, seed = 1): IncidentPlan {
  const plan = planIncidents(seed, 1).find((each) => each.id === id);
  if (plan === undefined) throw new Error(`no incident ${id}`);
  return plan;
}

describe("corpus of incidents", () => {
  it("is large, and a smaller one is a part of it", () => {
    const all = planIncidents(1, 1);
    expect(all.length).toBeGreaterThanOrEqual(2_000);
    expect(new Set(all.map(({ of }) => of.name)).size).toBeGreaterThanOrEqual(16);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const ids = new Set(all.map(({ id, seed, slot }) => `${id} ${seed} ${slot}`));
    expect(planIncidents(1, 0.1).every(({ id, seed, slot }) => ids.has(`${id} ${seed} ${slot}`))).toBe(true);
  });

  it("is decided by its seed", () => {
    expect(played(named("slow-leak-007"))).toEqual(played(named("slow-leak-007")));
    expect(played(named("slow-leak-007")).digest).not.toBe(played(named("slow-leak-007", 2)).digest);
    expect(played(named("slow-leak-007")).digest).not.toBe(played(named("slow-leak-008")).digest);
  });

  it("shows every breach that a release causes, after the release, with time left to decide", () => {
    const needed = planIncidents(5, 0.02)
      .filter(({ slot }) => slot < 12)
      .map((plan) => played(plan).incident)
      .filter(({ label }) => label.rollback === "Needed");
    expect(needed.length).toBeGreaterThan(20);
    for (const { id, breachAt = 0, bad, releases, to } of needed) {
      const broken = releases.find(({ revision }) => bad.includes(revision));
      expect([id, broken?.revision]).toEqual([id, releases.at(-1)?.revision]);
      expect([id, breachAt > (broken?.startedAt ?? Infinity), to - breachAt > 600_000]).toEqual([
        id,
        true,
        true,
      ]);
    }
  });

  it("holds counters as Prometheus stores them: growing, but where a process began anew", () => {
    const newest = new Map<string, { readonly value: number; readonly at: number }>();
    let resets = 0;
    let outOfOrder = 0;
    playIncident(named("regression-with-restarts-003"), (series, value, at) => {
      const before = newest.get(series);
      if (at <= (before?.at ?? 0)) outOfOrder += 1;
      if (before !== undefined && value < before.value) resets += 1;
      newest.set(series, { value, at });
    });
    expect(outOfOrder).toBe(0);
    expect(resets).toBeGreaterThan(3);
    const bad = [...newest.keys()].filter((series) => /status="50[03]"/.test(series));
    expect(bad.length).toBeGreaterThan(0);
    expect(bad[0]).toMatch(
      /^http_requests_total\{namespace="regression-with-restarts-003",app="([a-z]+-\w{3})",pod="\1-\w{9,10}-\w{5}",route="\/\w*",status="50[03]"\}$/,
    );
  });
});

describe("summary of the corpus", () => {
  it("bounds shares by Wilson's interval", () => {
    const [low, high] = wilson(5, 10);
    expect([low.toFixed(4), high.toFixed(4)]).toEqual(["0.2366", "0.7634"]);
    expect(wilson(10, 10)[0].toFixed(4)).toBe("0.7225");
    expect(wilson(0, 0)).toEqual([0, 1]);
  });

  it("counts what is needed and missed, false, and harmless", () => {
    const incident = (id: string): Incident => played(named(id)).incident;
    const decided = (of: Incident, action: "Rollback" | "Propose", isFalseRollback: boolean): Outcome => ({
      incident: of,
      answer: action,
      decision: undefined,
      isFalseRollback,
      plainAt: of.to,
    });
    const lines = summarise([
      decided(incident("regression-at-once-001"), "Rollback", false),
      decided(incident("regression-at-once-002"), "Propose", false),
      decided(incident("dependency-outage-001"), "Rollback", true),
      decided(incident("first-of-two-001"), "Rollback", false),
    ]);
    expect(lines).toContainEqual(expect.stringMatching(/^decisions_rollback_precision 0\.5000 \(1 of 2, /));
    expect(lines).toContainEqual(expect.stringMatching(/^decisions_rollback_recall 0\.5000 \(1 of 2, /));
    expect(lines).toContain("decisions_false_rollbacks_dependency_outage 1 incidents (goal <= 0)");
    expect(lines).toContainEqual(expect.stringMatching(/^plain_rule_rollback_precision 0\.6667 \(2 of 3, /));
    expect(lines).toContain(
      "missed: regression-at-once-002 (errors): Propose: no row fired".replace(
        "errors",
        incident("regression-at-once-002").profile,
      ),
    );
    expect(lines.filter((line) => line.startsWith("false rollback: ")).length).toBe(1);
  });
});
