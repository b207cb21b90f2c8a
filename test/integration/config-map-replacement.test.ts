import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { ApplyContext } from "../../src/actions/action.ts";
import { configMapAction } from "../../src/actions/config-map/index.ts";
import { snapshotName } from "../../src/config-maps/snapshot.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { configMapType } from "../../src/kube/well-known.ts";
import { createMap, getMap } from "../support/config-maps.ts";
import { Crash, faultyClient } from "../support/faulty-client.ts";
import { openShop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";
import { REFUSE_OWNED } from "../../src/gitops/rule.ts";

const { signal } = new AbortController();
const action = configMapAction({ stuckAfterMs: () => 60_000 });

/** The operator dies between the deletion of an immutable ConfigMap and its creation, and the world goes on. */
describe("an immutable ConfigMap that was deleted to be created anew", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  }, 90_000);

  afterAll(async () => {
    await world?.stop();
  }, 60_000);

  async function deadInBetween(namespace: string) {
    await openShop(world, namespace, { actions: ["config-map"] });
    const executor = world.client.as({ namespace, name: "rollback-executor" });
    await createMap(world.client, namespace, "settings", { data: { a: "bad" }, immutable: true });
    const spec = { name: "settings", to: { values: { a: "good" } }, restart: "Always" } as const;
    const context = (as: KubeClient): ApplyContext => ({
      executor: as,
      namespace,
      signal,
      now: Date.now(),
      appliedAt: undefined,
      soak: { key: "", restored: [], signals: [] },
    });
    const planned = await action.plan("step", spec, {
      ...context(executor),
      executorName: "rollback-executor",
      ledger: undefined,
      from: undefined,
      earlier: undefined,
      expectedPodTemplateHash: undefined,
      gitOps: REFUSE_OWNED,
      allowedImages: [],
      automatic: false,
    });
    if (planned.kind !== "Planned") throw new Error(JSON.stringify(planned));
    const { plan } = planned;
    const { client } = faultyClient(executor, {
      after(_, verb) {
        if (verb === "delete") throw new Crash("after the deletion");
      },
    });
    await expect(action.apply(plan, context(client), spec)).rejects.toThrow(Crash);
    const found = await world.client.tryGet(configMapType, { namespace, name: "settings" }, { signal });
    expect(found).toBeUndefined();
    return {
      namespace,
      plan,
      look: context(executor),
      snapshot: snapshotName("settings", plan.to.contentDigest),
    };
  }

  const recordsOf = async (namespace: string) =>
    (await world.client.list(configMapType, { namespace, signal })).items
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.includes("-replacement-"));

  it("comes by the snapshot alone: the values of the step are not needed any more", async () => {
    const { namespace, plan, look } = await deadInBetween("alone");

    expect(await action.apply(plan, look)).toEqual({ kind: "Applied", alreadyThere: false });

    expect((await getMap(world.client, namespace, "settings")).data).toEqual({ a: "good" });
    expect(await recordsOf(namespace)).toEqual([]);
    expect(await action.observe(plan, look)).toMatchObject({ kind: "Done" });
  }, 60_000);

  it("is told with the name of its snapshot where nothing more may be written, and where that is gone", async () => {
    const { namespace, plan, look, snapshot } = await deadInBetween("told");

    expect(await action.observe(plan, look)).toMatchObject({
      kind: "Failed",
      message: expect.stringContaining(`create it from the content of ConfigMap/${snapshot}`),
    });
    await world.client.delete(configMapType, { namespace, name: snapshot }, { signal });
    expect(await action.apply(plan, look)).toMatchObject({
      kind: "Refused",
      reason: "SnapshotGone",
      message: expect.stringContaining(snapshot),
    });
    // What was there before it is kept all the same.
    const before = snapshotName("settings", plan.from.contentDigest);
    expect((await getMap(world.client, namespace, before)).data).toEqual({ a: "bad" });
  }, 60_000);

  it("gives way to one that somebody else made meanwhile", async () => {
    const { namespace, plan, look } = await deadInBetween("theirs");
    await createMap(world.client, namespace, "settings", { data: { a: "theirs" } });

    expect(await action.apply(plan, look)).toMatchObject({ kind: "Superseded" });

    expect((await getMap(world.client, namespace, "settings")).data).toEqual({ a: "theirs" });
    expect(await recordsOf(namespace)).toEqual([]);
  }, 60_000);
});
