import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { populate } from "../../bench/memory/population.ts";
import { ROLLBACK_POLICIES, ROLLBACK_REQUESTS } from "../../src/kube/rollback-kinds.ts";
import type { OperatorProcess } from "../support/operator-process.ts";
import { residentMemory } from "../support/process-memory.ts";
import { startWorld, until, type World } from "../support/world.ts";

const { signal } = new AbortController();
const DEPLOYMENTS = 500;
const REVISIONS = 4;
const POLICIES = 100;
const BURST = 100;

let world: World;
let operator: OperatorProcess;

beforeAll(async () => {
  world = await startWorld({
    controllerManager: false,
    podSimulator: false,
    apiServerArgs: ["--disable-admission-plugins=ServiceAccount"],
  });
  await populate(
    world,
    {
      deployments: DEPLOYMENTS,
      replicaSetsPerDeployment: REVISIONS,
      podsPerReplicaSet: 0,
      policies: POLICIES,
    },
    signal,
  );
}, 240_000);

afterAll(() => world?.stop(), 60_000);

describe("a cluster of many", () => {
  it("knows the live revision of every policy's target out of all", async () => {
    operator = await world.operator({
      config: 'prometheus: {servers: [{name: default, url: "http://127.0.0.1:1", scrapeInterval: 5s}]}\n',
    });
    const { items } = await until(
      "every policy knows its release",
      () => world.client.list(ROLLBACK_POLICIES, { signal }),
      (list) => list.items.every(({ status }) => status?.release?.revision === REVISIONS),
      90_000,
    );
    expect(items).toHaveLength(POLICIES);
  }, 120_000);

  it("plans a hundred requests at once, each against its own history", async () => {
    const names = Array.from({ length: BURST }, (_, index) => index);
    await Promise.all(
      names.map((index) =>
        world.client.create(
          ROLLBACK_REQUESTS,
          {
            metadata: { namespace: `tenant-${Math.floor(index / 50)}`, name: `burst-${index}` },
            spec: {
              dryRun: true,
              steps: [
                {
                  name: "app",
                  workload: { kind: "Deployment", name: `web-${index}`, to: { strategy: "Previous" } },
                },
              ],
            } as never,
          },
          { signal },
        ),
      ),
    );
    const { items } = await until(
      "all have ended",
      () => world.client.list(ROLLBACK_REQUESTS, { signal }),
      (list) => list.items.every(({ status }) => /Succeeded|Failed/.test(status?.phase ?? "")),
      90_000,
    );
    const found = items.map(({ metadata, status }) => {
      const { to } = status?.plan?.steps[0] ?? {};
      return [metadata.name, status?.phase, to?.revision, to?.name?.replace(/-[^-]+$/, "")].join(" ");
    });
    const expected = names.map((index) => `burst-${index} Succeeded ${REVISIONS - 1} web-${index}`);
    expect(found.toSorted()).toEqual(expected.toSorted());
    // Far from the goal of the bench on purpose: only a leak or a cache of everything comes here.
    expect(residentMemory(operator.pid).now).toBeLessThan(250);
  }, 120_000);
});
