import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { contentDigest, contentOf } from "../../src/config-maps/content.ts";
import { snapshotName } from "../../src/config-maps/snapshot.ts";
import { targetHash } from "../../src/controllers/ledger/ledger.ts";
import { mapTarget } from "../../src/controllers/snapshots/map-target.ts";
import { pruneSnapshots } from "../../src/controllers/snapshots/take-snapshot.ts";
import type { RollbackLedgerSpec } from "../../src/crds/rollback-ledger.ts";
import { ROLLBACK_LEDGERS } from "../../src/kube/rollback-kinds.ts";
import { configMapType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { createMap, editMap, getMap, inEnv } from "../support/config-maps.ts";
import { inParallel } from "../support/in-parallel.ts";
import { startPolicyLab, type PolicyLab, type PolicyService } from "../support/policy-lab.ts";
import { readyOf, type PartialSpec } from "../support/shop.ts";
import { until } from "../support/world.ts";

const START_MS = 120_000;
const TEST_MS = 120_000;
const PLANTED = "planted-value-77ab";
const { signal } = new AbortController();

const restore = (to?: PartialSpec) => ({
  steps: [{ name: "config", configMap: { name: "settings", ...(to === undefined ? {} : { to }) } }],
});

describe("snapshots of ConfigMaps that a policy is concerned with", () => {
  let lab: PolicyLab;

  beforeAll(async () => {
    lab = await startPolicyLab({ namespaces: ["kept", "poor"] });
  }, START_MS);

  afterAll(async () => {
    await lab?.stop();
  }, START_MS);

  async function open(namespace: string, mayKeep = true): Promise<PolicyService> {
    const service = await lab.service(namespace, { deployed: false });
    if (mayKeep) {
      const role = ["--clusterrole", "rollback-executor-config-map"];
      const account = ["--serviceaccount", `${namespace}:rollback-executor`];
      await lab.world.kubectl(["create", "rolebinding", "keep", "-n", namespace, ...role, ...account]);
    }
    const { client } = lab.world;
    await createMap(client, namespace, "settings", { data: { LEVEL: `${PLANTED}-1` } });
    await createMap(client, namespace, "stranger", { data: { LEVEL: `${PLANTED}-1` } });
    await service.shop.open("web", { template: inEnv("settings") });
    return service;
  }

  const live = ({ namespace }: PolicyService) => getMap(lab.world.client, namespace, "settings");

  async function ledgerOf(
    { namespace }: PolicyService,
    name = "settings",
  ): Promise<RollbackLedgerSpec | undefined> {
    const key = { namespace, name: targetHash(mapTarget(namespace, name)) };
    return (await lab.world.client.tryGet(ROLLBACK_LEDGERS, key, { signal }))?.spec;
  }

  /** Ledger and snapshot once they know what is live. */
  async function known(service: PolicyService, isGood = false) {
    const map = await live(service);
    const digest = contentDigest("settings", contentOf(map));
    const ledger = await until(
      `${service.namespace} knows ${digest}`,
      () => ledgerOf(service),
      (found) => {
        const newest = found?.contents?.at(-1);
        return newest?.digest === digest && (!isGood || newest.knownGood !== undefined);
      },
      60_000,
    );
    const snapshot = await getMap(lab.world.client, service.namespace, snapshotName("settings", digest));
    expect([snapshot.data, snapshot.immutable]).toEqual([map.data, true]);
    return { digest, contents: ledger?.contents ?? [] };
  }

  async function keepsEachContent(): Promise<void> {
    const service = await open("kept");
    const { namespace, shop } = service;
    const { client } = lab.world;
    await createMap(
      client,
      namespace,
      "private",
      { data: { A: PLANTED } },
      { annotations: { "rollback.llm-research-lab.io/snapshot": "false" } },
    );
    const flag = { name: "flag", featureFlag: { configMap: { name: "private", key: "A", value: "x" } } };
    await service.watch({ plans: [{ name: "flag", steps: [flag] }] });

    const good = await known(service, true);
    expect(good.contents).toEqual([
      { digest: good.digest, since: expect.any(String), knownGood: expect.any(String) },
    ]);
    await editMap(client, namespace, "settings", { LEVEL: `${PLANTED}-2` });
    const bad = await known(service);
    expect(bad.contents.at(-1)).toMatchObject({
      digest: bad.digest,
      release: expect.stringMatching(/^Deployment\/web revision 1 \([0-9a-z]+\)$/),
    });

    await shop.ask("undo", undefined, { ...restore(), verification: { checks: [] } });
    const ended = await shop.ended("undo");
    expect(readyOf(ended).reason).toBe("RolledBack");
    expect(ended.status?.plan?.steps[0]?.to?.contentDigest).toBe(good.digest);
    expect((await live(service)).data).toEqual({ LEVEL: `${PLANTED}-1` });
    const { contents } = await known(service);
    expect(contents.map(({ digest, productOf, rolledBackBy }) => [digest, productOf, rolledBackBy])).toEqual([
      [good.digest, undefined, undefined],
      [bad.digest, undefined, "undo"],
      [good.digest, "undo", undefined],
    ]);

    await shop.ask("again", undefined, restore({ strategy: "Previous" }));
    expect(readyOf(await shop.ended("again"))).toMatchObject({
      reason: "NothingToDo",
      message: expect.stringContaining("put back already by undo"),
    });
    await editMap(client, namespace, "settings", { LEVEL: `${PLANTED}-3` });
    await shop.ask("previous", undefined, {
      ...restore({ strategy: "Previous" }),
      verification: { checks: [] },
    });
    // What was rolled back is not gone back to.
    expect((await shop.ended("previous")).status?.plan?.steps[0]?.to?.contentDigest).toBe(good.digest);

    // Neither what its owner keeps to himself nor what no pod of the workload uses.
    const { items } = await client.list(configMapType, { namespace, signal });
    const kept = items.map(({ metadata }) => metadata.name).filter((name) => name.includes("-snapshot-"));
    expect(kept.filter((name) => !name.startsWith("settings-"))).toEqual([]);
    expect(await Promise.all([ledgerOf(service, "private"), ledgerOf(service, "stranger")])).toEqual([
      undefined,
      undefined,
    ]);
    // Written as the tenant's account, never as the operator.
    const audit = await readAudit(lab.world.controlPlane.auditLogPath);
    const writers = audit
      .writes({ resource: "configmaps", namespace })
      .filter(({ objectRef }) => objectRef?.name?.includes("-snapshot-"))
      .map(({ impersonatedUser, user }) => (impersonatedUser ?? user).username);
    expect(new Set(writers)).toEqual(new Set([shop.executor]));

    await boundsThem(service, good.digest);
  }

  async function boundsThem(service: PolicyService, digest: string): Promise<void> {
    const { namespace } = service;
    const { client } = lab.world;
    const place = { executor: client, namespace, signal };
    const ledger = await ledgerOf(service);
    if (ledger === undefined) throw new Error("no ledger");
    const before = new Set(ledger.contents?.map((entry) => entry.digest));
    expect(before.size).toBe(3);

    await pruneSnapshots(client, place, "settings", ledger, { most: 1, used: new Set() });

    const { items } = await client.list(configMapType, { namespace, signal });
    const kept = items
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.startsWith("settings-snapshot-"));
    expect(kept).toEqual([snapshotName("settings", digest)]);
    expect(new Set((await ledgerOf(service))?.contents?.map((entry) => entry.digest))).toEqual(
      new Set([digest]),
    );
  }

  /** An executor that may not keep snapshots hinders nothing else. */
  async function doesWithout(): Promise<void> {
    const service = await open("poor", false);
    await service.watch();
    await service.baked();
    await until(
      "the operator says that it may not",
      () => readFile(lab.operator().logPath, "utf8"),
      (log) => log.includes("may not keep snapshots") && log.includes("poor/web"),
    );
    expect(await ledgerOf(service)).toBeUndefined();
    expect((await service.policy()).status?.conditions?.find(({ type }) => type === "Ready")?.status).toBe(
      "True",
    );
  }

  async function saysNoValue(): Promise<void> {
    await Promise.all([keeps, without]);
    const log = await readFile(lab.operator().logPath, "utf8");
    const metrics = await (await fetch(`${lab.operator().url}/metrics`)).text();
    const kinds = await lab.world.kubectl(["get", "rbl,rbp,rbr,events.events.k8s.io", "-A", "-o", "json"]);
    expect([log, metrics, kinds].map((text) => text.includes(PLANTED))).toEqual([false, false, false]);
  }

  let keeps: Promise<void>;
  let without: Promise<void>;
  inParallel(
    {
      "keeps each, knows the good ones, and goes back by strategy": () => (keeps = keepsEachContent()),
      "does without where the executor may not": () => (without = doesWithout()),
      "says no value": saysNoValue,
    },
    TEST_MS,
  );
});
