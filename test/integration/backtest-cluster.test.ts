import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { userOf, type Cli } from "../support/cli.ts";
import { startPrometheus, type Prometheus } from "../support/prometheus.ts";
import { openShop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

let world: World;
let prometheus: Prometheus;
let editor: Cli;
let dir = "";

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "rollback-backtest-cluster-"));
  [world, prometheus] = await Promise.all([
    startWorld(),
    startPrometheus({ dir: join(dir, "prometheus"), listen: "127.0.0.1:0", configText: "global: {}\n" }),
  ]);
  const shop = await openShop(world, "shop");
  editor = await userOf(world, "alice", ["shop"]);
  await shop.open();
  await shop.release("web:v2");
}, 120_000);

afterAll(async () => {
  await world?.stop();
  await prometheus?.stop();
  await rm(dir, { recursive: true, force: true });
}, 60_000);

function policy(target: string): string {
  return JSON.stringify({
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackPolicy",
    metadata: { name: "web", namespace: "shop" },
    spec: {
      target: { kind: "Deployment", name: target },
      signals: [
        {
          name: "error-rate",
          prometheus: {
            ratio: { bad: 'requests_total{status=~"5.."}', total: "requests_total", window: "1m" },
            match: { app: "web" },
          },
        },
        { name: "oom-kills", pods: { terminated: "OOMKilled" } },
      ],
    },
  });
}

it("takes the releases that the cluster still has, with the rights of a person who asks for rollbacks", async () => {
  const file = join(dir, "policy.yaml");
  await writeFile(file, policy("web"));
  const args = ["backtest", file, "--prometheus", prometheus.url, "--since", "1h", "--releases-from-cluster"];
  const { code, stdout, stderr } = await editor(...args, "-o", "json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const report = JSON.parse(stdout) as Readonly<Record<string, unknown>>;
  expect(report).toMatchObject({ decisions: [], releases: 2, rolledBack: 0 });
  expect(report["samples"]).toMatchObject({ Ok: 0, NoData: expect.any(Number) });
  expect(report["notes"]).toEqual([
    expect.stringContaining("no release is known that ran when the range begins"),
    "signal oom-kills and its rows are left out: the cluster keeps no history of it",
  ]);
}, 60_000);

it("says when the target is not there", async () => {
  const file = join(dir, "gone.yaml");
  await writeFile(file, policy("gone"));
  const args = ["backtest", file, "--prometheus", prometheus.url, "--since", "1h", "--releases-from-cluster"];
  expect(await editor(...args)).toMatchObject({
    code: 1,
    stderr: "error: Deployment shop/gone does not exist in this cluster: check target and --context\n",
  });
}, 60_000);
