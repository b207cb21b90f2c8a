import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "undici";
import { WHOLE, type Sample } from "../../src/decision/sample.ts";
import { buildAlertQuery } from "../../src/prometheus/alert-query.ts";
import { Alerts } from "../../src/prometheus/alerts.ts";
import { PrometheusClient } from "../../src/prometheus/client.ts";
import { startPrometheus, type Prometheus } from "../support/prometheus.ts";
import { until } from "../support/world.ts";

/** Firing alerts of a real Prometheus, whose rules are evaluated every second. */

const { signal } = new AbortController();
const clock = { monotonic: () => performance.now(), now: () => Date.now() };
const agent = new Agent();

const shop = { namespace: "shop" };
const twoSeries = 'label_replace(vector(1), "a", "1", "", "") or label_replace(vector(1), "a", "2", "", "")';
const RULES = [
  { alert: "Pages", expr: twoSeries, labels: { ...shop, severity: "page", team: 'a|"b"' } },
  { alert: "Pages", expr: "vector(1)", labels: { namespace: "other", severity: "page" } },
  { alert: "Pending", expr: "vector(1)", for: "1h", labels: shop },
  { alert: "Silent", expr: "vector(0) > 1", labels: shop },
  { alert: "Broken", expr: `vector(1) + on () (${twoSeries})`, labels: shop },
];

let folder = "";
let prometheus: Prometheus;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prometheus-alerts-"));
  const groups = [{ name: "g", interval: "1s", rules: RULES }];
  await writeFile(join(folder, "rules.yml"), JSON.stringify({ groups }));
  prometheus = await startPrometheus({
    dir: folder,
    listen: "127.0.0.1:0",
    configText: 'global: {evaluation_interval: 1s}\nrule_files: ["rules.yml"]\n',
  });
  await until(
    "every rule was evaluated",
    healths,
    (list) => list.every((health) => health !== "unknown"),
    30_000,
  );
  await until(
    "the alerts fire",
    async () => await read({ alertname: "Pages" }, Date.now() - 1_000),
    (sample) => sample.kind === "Value" && sample.value === 2,
    30_000,
  );
}, 90_000);

afterAll(async () => {
  await prometheus?.stop();
  await agent.destroy();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

async function healths(): Promise<readonly string[]> {
  const response = await fetch(`${prometheus.url}/api/v1/rules`);
  const body = (await response.json()) as { data: { groups: { rules: { health: string }[] }[] } };
  return body.data.groups.flatMap(({ rules }) => rules.map(({ health }) => health));
}

function serverAt() {
  return {
    name: "default",
    url: prometheus.url,
    timeoutMs: 5_000,
    scrapeIntervalMs: 1_000,
    namespaceLabel: "namespace",
  };
}

function alerts(): Alerts {
  return new Alerts(new PrometheusClient(serverAt(), agent, clock), clock);
}

function queryOf(matchers: Readonly<Record<string, string>>) {
  const built = buildAlertQuery({ name: "paging", matchers }, serverAt(), "shop");
  if (built.kind === "Refused") throw new Error(built.message);
  return built.value;
}

function read(matchers: Readonly<Record<string, string>>, at = Date.now()): Promise<Sample> {
  return alerts().read(queryOf(matchers), at, signal);
}

describe("an alert signal against a real Prometheus", () => {
  it.each<[string, Readonly<Record<string, string>>, object]>([
    ["its own firing alerts", { alertname: "Pages" }, { kind: "Value", value: 2 }],
    ["by other labels, whatever is in them", { team: 'a|"b"' }, { kind: "Value", value: 2 }],
    ["no pending ones", { alertname: "Pending" }, { kind: "Value", value: 0 }],
    ["none where the rule finds nothing", { alertname: "Silent" }, { kind: "Value", value: 0 }],
    [
      "nothing where no rule of that name exists",
      { alertname: "ApiDown" },
      { kind: "Unproven", detail: "no alerting rule ApiDown on server default" },
    ],
    [
      "nothing where the rule cannot be evaluated",
      { alertname: "Broken" },
      {
        kind: "Unproven",
        detail: expect.stringContaining("the alerting rule Broken on server default tells nothing"),
      },
    ],
  ])("counts %s", async (_, matchers, expected) => {
    expect(await read(matchers)).toEqual(expected);
  });

  it("takes firing alerts of a server whose rules stand still for what they were, for a while only", async () => {
    const at = Date.now();
    expect(await read({ alertname: "Pages" }, at)).toMatchObject({ kind: "Value" });
    // As if nothing had been evaluated for three seconds: the series still looks alive.
    expect(await read({ alertname: "Pages" }, at + 3_600)).toMatchObject({ kind: "Stale" });
  });

  it("reads its past", async () => {
    const end = Math.floor(Date.now() / 1_000) * 1_000;
    const range = { start: end - 120_000, end, step: 1_000 };
    const past = await alerts().readPast(queryOf({ alertname: "Pages" }), range, signal);
    const samples = past.kind === "Ok" ? (past.value.get(WHOLE) ?? []) : [];
    expect(samples).toHaveLength(121);
    expect(samples.at(-1)?.sample).toEqual({ kind: "Value", value: 2 });
    expect(samples[0]?.sample).toEqual({ kind: "Value", value: 0 });
  });
});
