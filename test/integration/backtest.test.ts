import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeBlocks } from "../../bench/decisions/blocks.ts";
import { planIncidents, type Incident } from "../../bench/decisions/incident.ts";
import { policyOf, releasesOf } from "../../bench/decisions/policy.ts";
import { backtest } from "../../src/backtest/backtest.ts";
import { openPolicy } from "../../src/backtest/open-policy.ts";
import { createRuntime } from "../../src/controllers/policy/runtime.ts";
import { tick } from "../../src/controllers/policy/sample.ts";
import type { RowEvaluation } from "../../src/decision/matrix.ts";
import { startCli, type CliResult } from "../support/cli.ts";
import { startPrometheus, type Prometheus } from "../support/prometheus.ts";

/** Incidents of the labelled corpus, back-filled into a real Prometheus, through the real command line. */
const NAMES = [
  "slow-leak-001",
  "one-route-001",
  "dependency-outage-001",
  "scrape-gap-001",
  "regression-in-scrape-gap-001",
];

describe("backtest on a real Prometheus", () => {
  const { signal } = new AbortController();
  let dir = "";
  let prometheus: Prometheus | undefined;
  let incidents: readonly Incident[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "rollback-backtest-"));
    const plans = planIncidents(1, 1).filter(({ id }) => NAMES.includes(id));
    const data = join(dir, "prometheus", "data");
    ({ incidents } = await writeBlocks(plans, data, join(dir, "work"), () => undefined));
    prometheus = await startPrometheus({
      dir: join(dir, "prometheus"),
      listen: "127.0.0.1:0",
      configText: "global: {}\n",
      args: ["--storage.tsdb.retention.time=100y"],
    });
  }, 120_000);

  afterAll(async () => {
    await prometheus?.stop();
    await rm(dir, { recursive: true, force: true });
  }, 30_000);

  function named(id: string): Incident {
    const incident = incidents.find((each) => each.id === id);
    if (incident === undefined) throw new Error(`no incident ${id}`);
    return incident;
  }

  async function run(incident: Incident, ...more: readonly string[]): Promise<CliResult> {
    const policy = join(dir, `${incident.id}.yaml`);
    const releases = join(dir, `${incident.id}-releases.json`);
    const { uid: _uid, resourceVersion: _version, ...metadata } = policyOf(incident).metadata;
    await writeFile(policy, JSON.stringify({ ...policyOf(incident), metadata }));
    await writeFile(
      releases,
      JSON.stringify(
        incident.releases.map(({ revision, startedAt, image, podTemplateHash, isKnownGood }) => ({
          revision,
          startedAt: new Date(startedAt).toISOString(),
          image,
          podTemplateHash,
          knownGood: isKnownGood,
        })),
      ),
    );
    const range = [
      ["--start", new Date(incident.from).toISOString()],
      ["--end", new Date(incident.to).toISOString()],
    ].flat();
    const url = more.includes("--prometheus") ? [] : ["--prometheus", prometheus?.url ?? ""];
    // No kubeconfig: nothing of a cluster is needed.
    return startCli(["backtest", policy, "--releases", releases, ...range, ...url, ...more], "/nowhere")
      .ended;
  }

  it("shows programs what would have been decided, on which values, and how the samples were", async () => {
    const incident = named("slow-leak-001");
    const { code, stdout, stderr } = await run(incident, "-o", "json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const report = JSON.parse(stdout) as {
      readonly decisions: readonly {
        readonly at: string;
        readonly row: string;
        readonly action: string;
        readonly attribution: string;
        readonly reason: string;
        readonly values: Readonly<Record<string, unknown>>;
      }[];
      readonly samples: Readonly<Record<string, number>>;
    };
    const rollback = report.decisions.find(({ action }) => action === "Rollback");
    const bad = incident.bad[0] ?? 0;
    expect(rollback).toMatchObject({
      row: "error-rate-critical",
      attribution: expect.stringMatching(/^(Caused|Likely)$/),
      values: { signal: "error-rate", threshold: 0.1, revision: bad, toRevision: bad - 1 },
    });
    const at = Date.parse(rollback?.at ?? "");
    expect(at).toBeGreaterThan((incident.breachAt ?? 0) + 60_000);
    expect(at).toBeLessThan((incident.breachAt ?? 0) + 300_000);
    expect(report.samples["Breach"]).toBeGreaterThan(8);
    expect(report.samples["Ok"]).toBeGreaterThan(100);
  }, 60_000);

  it("shows people the same, and what was assumed", async () => {
    const leak = await run(named("slow-leak-001"));
    expect(leak.stdout).toMatch(/^1 release, [\d,]+ samples: [\d.]+% Ok, [\d.]+% Breach/);
    expect(leak.stdout).toMatch(
      / -> Rollback to revision \d+; breach lasted [\dhms]+ and more in reality, 2m here; /,
    );
    expect(leak.stdout).toMatch(/^would have rolled back 1 of 1 release, [\dhms]+ of breach saved$/m);
    expect(leak.stdout).toMatch(/^assumed: after a rollback its release is gone until the next one/m);
    const outage = await run(named("dependency-outage-001"));
    expect(outage.stdout).toMatch(/ Unlikely +-> held: unlikely to be caused by the last release/);
    const gap = await run(named("scrape-gap-001"));
    expect(gap.stdout).toContain("\nno row fired\n");
  }, 60_000);

  it.each(NAMES)(
    "production reads the same history the same way: %s",
    async (id) => {
      const incident = named(id);
      const server = {
        url: prometheus?.url ?? "",
        scrapeIntervalMs: 15_000,
        timeoutMs: 10_000,
        namespaceLabel: "namespace",
      };
      const { compiled, close } = openPolicy(policyOf(incident), server, {
        monotonic: () => performance.now(),
      });
      try {
        const replayed = new Map<number, readonly string[]>();
        // As of a policy whose UID puts it there.
        const gridOffsetMs = 4_321;
        const { namespace, from, to } = incident;
        const report = await backtest(
          {
            compiled,
            namespace,
            target: { uid: "web", name: "web" },
            releases: releasesOf(incident),
            start: from,
            end: to,
            gridOffsetMs,
            onTick: (at, evaluations) => replayed.set(at, said(evaluations)),
          },
          signal,
        );
        const runtime = createRuntime("shop/web", "uid", 1, compiled, [], from);
        const subject = { namespace, desiredReplicas: 3, live: undefined, rollbackTarget: undefined };
        const lived = new Map<number, readonly string[]>();
        for (const at of replayed.keys()) {
          await tick(runtime, compiled, at, subject, signal);
          lived.set(at, said(runtime.evaluations));
        }
        expect(replayed.size).toBeGreaterThan(300);
        expect(lived).toEqual(replayed);
        expect([...replayed.keys()].every((at) => at % 15_000 === gridOffsetMs)).toBe(true);
        expect(report.decisions.length > 0).toBe(id !== "scrape-gap-001");
      } finally {
        await close();
      }
    },
    120_000,
  );

  it("says what is wrong with the server, the file, the window", async () => {
    const incident = named("slow-leak-001");
    const dead = await run(incident, "--prometheus", "http://127.0.0.1:1");
    expect(dead).toMatchObject({ code: 1, stdout: "" });
    expect(dead.stderr).toMatch(
      /^error: signal error-rate could not be read from \S+ to \S+: Prometheus server "default" cannot be reached: the connection was refused\n$/,
    );
    const slow = await run(incident, "--scrape-interval", "30s");
    expect(slow.code).toBe(1);
    expect(slow.stderr).toContain(
      'window 1m is too short: server "default" scrapes every 30s, the smallest valid window is 2m',
    );
    const wrong = await run(incident, "--since", "soon");
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("such as 14d, 36h or 90m") });
    const file = await startCli(
      ["backtest", join(dir, "nothing.yaml"), "--prometheus", prometheus?.url ?? "", "--since", "1d"],
      "/nowhere",
    ).ended;
    expect(file.stderr).toMatch(/^error: \S+nothing\.yaml cannot be read: ENOENT/);
  }, 60_000);
});

/** What every row says at a tick, and what it said it on. */
function said(evaluations: readonly RowEvaluation[]): readonly string[] {
  return evaluations
    .map(({ row, part, verdict, fires, window, sample }) => {
      const value = sample.kind === "Value" ? sample.value.toPrecision(12) : "";
      return [row.name, part, sample.kind, value, verdict, fires, window.onset, window.run?.since].join(" ");
    })
    .toSorted();
}
