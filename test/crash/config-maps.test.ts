import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { createActions } from "../../src/actions/registry.ts";
import { createChecks } from "../../src/checks/registry.ts";
import { SoakRuns } from "../../src/checks/soak-runs.ts";
import type { RequestPorts } from "../../src/controllers/request/ports.ts";
import { reconcileRequest } from "../../src/controllers/request/reconcile.ts";
import { TargetLocks } from "../../src/controllers/request/target-lock.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { configMapType, leaseType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { createMap, getMap, membersOfMap } from "../support/config-maps.ts";
import { Crash, faultyClient } from "../support/faulty-client.ts";
import { container, openShop, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

const SYSTEM = "rollback-system";
const WRITES = new Set(["create", "replace", "replaceStatus", "patch", "delete"]);
const AT_ONCE = 6;

/** An immutable map that is deleted and created anew, a mutable one, one key of another; fresh pods for `web`. */
const STEPS = [
  { name: "fixed", configMap: { name: "fixed", to: { values: { a: "good" } } } },
  { name: "settings", configMap: { name: "settings", to: { values: { a: "good" } } } },
  { name: "flag", featureFlag: { configMap: { name: "flags", key: "a", value: "good" } } },
];

const signal = new AbortController().signal;

/** As in steps.test.ts: a death after each write leaves every state that a death between any two calls can leave. */
describe("the operator dies after each write of a request about ConfigMaps", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  }, 90_000);

  afterAll(async () => {
    await world?.stop();
  }, 60_000);

  function portsOf(client: KubeClient): RequestPorts {
    const soaks = new SoakRuns(
      createChecks({
        sample: () => Promise.reject(new Error("no signal here")),
        lookbackMs: () => 0,
      }),
    );
    return {
      client,
      cached: () => undefined,
      policiesOn: () => [],
      workload: () => undefined,
      cluster: () => ({ automaticRollbacks: [], maxPerTenMinutes: 100 }),
      mayRunUnasked: () => false,
      clock: systemClock(),
      actions: createActions({ stuckAfterMs: () => 60_000, soaks }),
      locks: new TargetLocks(client, SYSTEM),
      verifications: soaks,
      killSwitch: () => ({ kind: "Off" }),
      defaultExecutor: "rollback-executor",
      record: () => undefined,
      observer: { acted: () => undefined, finished: () => undefined },
    };
  }

  async function drive(client: KubeClient, key: string): Promise<void> {
    const ports = portsOf(client);
    for (;;) {
      const result = await reconcileRequest(ports, key, signal);
      if (!("afterMs" in result)) return;
      await sleep(Math.min(result.afterMs, 50));
    }
  }

  /** A client whose process dies when its write of this ordinal has been stored; what it wrote. */
  function mortal(deathAt: number) {
    let writes = 0;
    let isDead = false;
    const { client } = faultyClient(world.client, {
      before() {
        if (isDead) throw new Crash("dead already");
      },
      after(_, verb, args) {
        const options = args.at(-1) as { readonly dryRun?: boolean } | undefined;
        if (!WRITES.has(verb) || options?.dryRun === true) return;
        writes += 1;
        if (writes < deathAt) return;
        isDead = true;
        throw new Crash(`after write ${writes}: ${verb}`);
      },
    });
    return { client, writes: () => writes };
  }

  async function open(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["config-map", "feature-flag"] });
    const { client } = world;
    await createMap(
      client,
      namespace,
      "fixed",
      { data: { a: "bad" }, immutable: true },
      { labels: { b: "c" } },
    );
    await createMap(client, namespace, "settings", { data: { a: "bad" } });
    await createMap(client, namespace, "flags", { data: { a: "bad", b: "x" } });
    const envFrom = ["fixed", "flags"].map((name) => ({ configMapRef: { name } }));
    await shop.open("web", { template: container({ envFrom }) });
    await shop.ask("undo", undefined, { steps: STEPS, verification: { checks: [] } });
    return shop;
  }

  /** What is not as one undisturbed request leaves it. */
  async function outcome(shop: Shop) {
    const { namespace, executor } = shop;
    const [{ status, metadata }, web, audit, leases, maps, ...found] = await Promise.all([
      shop.request("undo"),
      shop.live("web"),
      readAudit(world.controlPlane.auditLogPath),
      world.client.list(leaseType, { namespace: SYSTEM, signal }),
      world.client.list(configMapType, { namespace, signal }),
      ...["fixed", "settings", "flags"].map((name) => getMap(world.client, namespace, name)),
    ]);
    const restartedAt = web.spec.template.metadata?.annotations?.["kubectl.kubernetes.io/restartedAt"];
    return {
      phase: status?.phase,
      progress: status?.progress,
      finalizers: metadata.finalizers ?? [],
      contents: found.map(membersOfMap),
      labels: found[0]?.metadata.labels,
      isRestartAsPlanned:
        restartedAt !== undefined && restartedAt === status?.plan?.steps[2]?.to?.restartedAt,
      // Records of ours that are left: of each content a snapshot, and of the replacement none.
      records: maps.items
        .map((map) => map.metadata.name.replace(/-[0-9a-f]{16,}$/, ""))
        .filter((name) => /-(snapshot|replacement)$/.test(name))
        .toSorted(),
      acts: audit
        .writes({ namespace, actor: executor })
        .map(({ verb, objectRef }) => `${verb} ${objectRef?.name}`)
        .filter((act) => !/-(snapshot|replacement)-/.test(act)),
      locks: leases.items.filter(({ spec }) => spec?.holderIdentity?.startsWith(`${namespace}/`) === true)
        .length,
    };
  }

  const UNDISTURBED = {
    phase: "Succeeded",
    progress: "3/3",
    finalizers: [],
    contents: [
      { data: { a: "good" }, immutable: true },
      { data: { a: "good" } },
      { data: { a: "good", b: "x" } },
    ],
    labels: { b: "c" },
    isRestartAsPlanned: true,
    records: ["fixed", "flags", "settings"].flatMap((name) => [`${name}-snapshot`, `${name}-snapshot`]),
    acts: ["delete fixed", "create fixed", "patch web", "patch settings", "patch flags", "patch web"],
    locks: 0,
  };

  it("same end, nothing done twice", async () => {
    const undisturbed = await open("maps-0");
    const counted = mortal(Infinity);
    await drive(counted.client, "maps-0/undo");
    expect(await outcome(undisturbed)).toEqual(UNDISTURBED);
    expect(counted.writes()).toBeGreaterThan(25);

    let deaths = 0;
    const queue = Array.from({ length: counted.writes() }, (_, index) => index + 1);
    async function work(): Promise<void> {
      for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
        const shop = await open(`maps-${at}`);
        const key = `${shop.namespace}/undo`;
        const death = await drive(mortal(at).client, key).catch((error: unknown) => error);
        if (death !== undefined && !(death instanceof Crash)) throw death;
        if (death !== undefined) deaths += 1;

        await drive(world.client, key);

        expect({ at: String(death), ...(await outcome(shop)) }).toEqual({
          at: String(death),
          ...UNDISTURBED,
        });
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work));

    expect(deaths).toBeGreaterThan(25);
  }, 300_000);
});
