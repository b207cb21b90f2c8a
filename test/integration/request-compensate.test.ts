import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ROLLBACK_LEDGERS, type RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { configMapType, podType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { inParallel } from "../support/in-parallel.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import type { OperatorProcess } from "../support/operator-process.ts";
import { refuseScaling } from "../support/refuse-scaling.ts";
import { imageOf, openShop, readyOf, roleBindingType, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 120_000;
const HOLD = "test.example/hold";

const { signal } = new AbortController();
const scale = (target: string, replicas: number) => ({
  scale: { kind: "Deployment", name: target, replicas },
});
const workload = (target: string) => ({
  workload: { kind: "Deployment", name: target, to: { strategy: "Previous" } },
});
const stepsOf = (steps: Readonly<Record<string, PartialSpec>>) =>
  Object.entries(steps).map(([name, step]) => ({ name, ...step }));

/** Planned like any other, and refused when it acts. */
const REFUSED = scale("refused", 3);

describe("a request whose step fails", () => {
  let world: World;
  let operator: OperatorProcess;

  beforeAll(async () => {
    world = await startWorld();
    await refuseScaling(world);
    operator = await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** `web` with a bad release over a good one, `worker` beside it, and what cannot be scaled. */
  async function openAll(namespace: string, more: readonly string[] = []): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["workload", "scale"] });
    await Promise.all([
      shop.open("web").then(() => shop.release("web:v2", "web")),
      ...["worker", "refused", ...more].map((name) => shop.open(name)),
    ]);
    return shop;
  }

  const ask = (shop: Shop, steps: Readonly<Record<string, PartialSpec>>, spec: PartialSpec = {}) =>
    shop.ask("undo", undefined, { steps: stepsOf(steps), onFailure: "Compensate", ...spec });

  /** Pods of this app go on terminating until they are let go. */
  const hold = (shop: Shop, app: string) => finalizers(shop, app, [HOLD]);
  const letGo = (shop: Shop, app: string) => finalizers(shop, app, null);

  async function finalizers({ namespace }: Shop, app: string, value: readonly string[] | null) {
    const { items } = await world.client.list(podType, { namespace, labelSelector: `app=${app}`, signal });
    const patch = { kind: "merge", value: { metadata: { finalizers: value } } } as const;
    for (const { metadata } of items) {
      await world.client.patch(podType, { namespace, name: metadata.name }, patch, { signal });
    }
  }

  /** Once the step of this name waits for held pods. */
  const waitsIn = (shop: Shop, step: string) =>
    until(
      `step ${step} waits`,
      () => shop.request("undo"),
      ({ status }) =>
        status?.steps?.find(({ name }) => name === step)?.state === "Applied" &&
        readyOf({ status } as RollbackRequest).message.includes("not gone"),
    );

  const statesOf = ({ status }: RollbackRequest) =>
    status?.steps?.map(({ name, state }) => `${name} ${state}`);

  /** Accepted writes of the executor, in order, as `web` and `worker/scale`. */
  async function writes({ namespace, executor }: Shop): Promise<readonly string[]> {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit
      .writes({ namespace, actor: executor })
      .map(({ objectRef }) => [objectRef?.name, objectRef?.subresource].filter(Boolean).join("/"));
  }

  async function undone(): Promise<void> {
    const shop = await openAll("undone");
    const before = await shop.live("web");

    await ask(shop, { stop: scale("worker", 0), site: workload("web"), more: REFUSED });
    const ended = await shop.ended("undo");

    expect(ended.status).toMatchObject({ phase: "Compensated", progress: "2/2 undone" });
    expect(statesOf(ended)).toEqual([
      "stop Succeeded",
      "site Succeeded",
      "more Failed",
      "undo-site Succeeded",
      "undo-stop Succeeded",
    ]);
    expect(readyOf(ended)).toEqual({
      reason: "Compensated",
      message: expect.stringMatching(
        /^step more \(3 of 3\): the API server refused the change: .*not to be scaled.*; undone: steps site, stop; .*make a new request/,
      ),
    });
    expect((await shop.live("web")).spec.template).toEqual(before.spec.template);
    expect((await shop.live("worker")).spec.replicas).toBe(2);
    expect(await writes(shop)).toEqual(["worker/scale", "web", "web", "worker/scale"]);
    const { items } = await world.client.list(ROLLBACK_LEDGERS, { namespace: shop.namespace, signal });
    const ledger = items.find(({ spec }) => spec.target.name === "web")?.spec;
    // What is live is no fresh release, and what was left is not bad.
    expect(ledger?.marks).toMatchObject([{ revision: 2, request: "undo" }]);
    expect(ledger?.releases).toMatchObject([
      { revision: 3, rollbackBy: "undo" },
      { revision: 4, rollbackBy: "undo" },
    ]);
    await shop.ask("same", { strategy: "Previous" });
    expect(readyOf(await shop.ended("same"))).toMatchObject({ reason: "NothingToDo" });
    await shop.ask("named", { revision: 3 });
    expect((await shop.ended("named")).status?.phase).toBe("Succeeded");
    expect(imageOf(await shop.live("web"))).toBe("web:v1");
  }

  /** The change of the step that fails is stored, and never gets complete. */
  async function ownChange(): Promise<void> {
    const shop = await openAll("own");
    await shop.open("broken", {
      template: (template) => ({
        ...template,
        spec: { ...template.spec, containers: [{ name: "app", image: "web:slow" }] },
      }),
    });
    await shop.release("web:v2", "broken");

    await ask(shop, { more: scale("worker", 3), site: { ...workload("broken"), timeout: "3s" } });
    const ended = await shop.ended("undo");

    expect(ended.status?.phase).toBe("Compensated");
    expect(statesOf(ended)).toEqual([
      "more Succeeded",
      "site Failed",
      "undo-site Succeeded",
      "undo-more Succeeded",
    ]);
    expect(readyOf(ended).message).toContain("took longer than its timeout of 3s");
    expect(imageOf(await shop.live("broken"))).toBe("web:v2");
    expect((await shop.live("worker")).spec.replicas).toBe(2);
    expect(await writes(shop)).toEqual(["worker/scale", "broken", "broken", "worker/scale"]);
  }

  async function foreignChange(): Promise<void> {
    const shop = await openAll("foreign");
    await hold(shop, "worker");
    await ask(shop, { site: workload("web"), stop: scale("worker", 0), more: REFUSED });
    await waitsIn(shop, "stop");
    await shop.release("web:v9", "web");
    await letGo(shop, "worker");

    const ended = await shop.ended("undo");

    expect(ended.status?.phase).toBe("Failed");
    expect(statesOf(ended)?.slice(2)).toEqual(["more Failed", "undo-stop Succeeded", "undo-site Superseded"]);
    expect(readyOf(ended)).toEqual({
      reason: "StepFailed",
      message: expect.stringMatching(
        /; undone: step stop; not undone: step site \(left alone, Deployment\/web was changed by somebody else .*\): look at/,
      ),
    });
    expect(imageOf(await shop.live("web"))).toBe("web:v9");
    expect((await shop.live("worker")).spec.replicas).toBe(2);
    expect(await writes(shop)).toEqual(["web", "worker/scale", "worker/scale"]);
  }

  async function withoutRight(): Promise<void> {
    const shop = await openAll("right");
    await hold(shop, "worker");
    await ask(shop, { site: workload("web"), stop: scale("worker", 0), more: REFUSED });
    await waitsIn(shop, "stop");
    const binding = { namespace: shop.namespace, name: "rollback-executor" };
    await world.client.delete(roleBindingType, binding, { signal });
    await letGo(shop, "worker");

    const ended = await shop.ended("undo");

    expect(ended.status?.phase).toBe("Failed");
    expect(statesOf(ended)?.slice(3)).toEqual(["undo-stop Succeeded", "undo-site Failed"]);
    expect(readyOf(ended).message).toMatch(
      /not undone: step site \(.* may not .*patch deployments\.apps web/,
    );
    expect(imageOf(await shop.live("web"))).toBe("web:v1");
  }

  /** In the middle of undoing: step `start` is being undone, and its pods do not go. */
  async function inTheMiddle(namespace: string): Promise<Shop> {
    const shop = await openAll(namespace, ["gate"]);
    await shop.edit([{ op: "replace", path: "/spec/replicas", value: 0 }], "worker");
    await until(
      "worker has no pods",
      () => shop.live("worker"),
      ({ status }) => (status?.replicas ?? 0) === 0,
    );
    await hold(shop, "gate");
    await ask(shop, {
      site: workload("web"),
      start: scale("worker", 2),
      close: scale("gate", 0),
      more: REFUSED,
    });
    await waitsIn(shop, "close");
    await hold(shop, "worker");
    await letGo(shop, "gate");
    await waitsIn(shop, "undo-start");
    return shop;
  }

  async function aborted(): Promise<void> {
    const shop = await inTheMiddle("aborted");
    await shop.annotate("undo", { "rollback.llm-research-lab.io/abort": "true" });

    const ended = await shop.ended("undo");
    await letGo(shop, "worker");

    expect(ended.status?.phase).toBe("Aborted");
    expect(readyOf(ended).message).toMatch(
      /^undoing step start \(2 of 3\): aborted after the undo was stored, which stays; abort undoes nothing; not undone: step site; it was undoing its steps since step more/,
    );
    expect(imageOf(await shop.live("web"))).toBe("web:v1");
  }

  async function goesOn(): Promise<void> {
    const shop = await openAll("continue");

    await ask(
      shop,
      { more: REFUSED, site: workload("web"), less: scale("refused", 1), stop: scale("worker", 0) },
      { onFailure: "Continue" },
    );
    const ended = await shop.ended("undo");

    expect(ended.status).toMatchObject({ phase: "Failed", progress: "2/4" });
    expect(statesOf(ended)).toEqual(["more Failed", "site Succeeded", "less Failed", "stop Succeeded"]);
    expect(readyOf(ended)).toEqual({
      reason: "StepFailed",
      message: expect.stringMatching(
        /^step more failed: the API server refused .*; step less failed: not carried out, since step more on the same object failed; of the other steps: .* and verified: pods 2\/2 ready/,
      ),
    });
    expect(ended.status?.checks).toMatchObject([{ outcome: "Passed" }, { outcome: "Passed" }]);
    expect(imageOf(await shop.live("web"))).toBe("web:v1");
    expect((await shop.live("worker")).spec.replicas).toBe(0);
    expect(await writes(shop)).toEqual(["web", "worker/scale"]);
  }

  async function stops(): Promise<void> {
    const shop = await openAll("stop");
    await ask(
      shop,
      { site: workload("web"), more: REFUSED, stop: scale("worker", 0) },
      { onFailure: "Stop" },
    );

    const ended = await shop.ended("undo");

    expect(statesOf(ended)).toEqual(["site Succeeded", "more Failed", "stop Pending"]);
    expect(readyOf(ended).message).toMatch(/; the change of step site stays$/);
    expect(await writes(shop)).toEqual(["web"]);
  }

  inParallel(
    {
      "has what it did undone in reverse, and knows what it made": undone,
      "has the change of that step undone first": ownChange,
      "leaves alone what somebody else changed since, and undoes the rest": foreignChange,
      "tells what it may not undo, and undoes the rest": withoutRight,
      "stops undoing when it is aborted, and says what is not undone": aborted,
      "goes on with other objects where it says Continue, and ends Failed": goesOn,
      "stops there where it says Stop": stops,
    },
    TEST_MS,
  );

  it(
    "is undone to the end after kill -9 in the middle of it",
    async () => {
      const shop = await inTheMiddle("killed");
      await operator.kill();
      await letGo(shop, "worker");
      operator = await world.operator();

      const ended = await shop.ended("undo");

      expect(ended.status).toMatchObject({ phase: "Compensated", progress: "3/3 undone" });
      expect(imageOf(await shop.live("web"))).toBe("web:v2");
      const forth = ["web", "worker/scale", "gate/scale"];
      expect(await writes(shop)).toEqual([...forth, ...forth.toReversed()]);
    },
    TEST_MS,
  );

  it(
    "undoes nothing more once the kill switch is on",
    async () => {
      const shop = await inTheMiddle("switched");
      const key = { namespace: "rollback-system", name: "rollback-kill-switch" };
      await world.client.create(configMapType, { metadata: key, data: { stop: "true" } }, { signal });
      await letGo(shop, "worker");

      const ended = await shop.ended("undo");
      await world.client.delete(configMapType, key, { signal });

      expect(ended.status?.phase).toBe("Failed");
      expect(statesOf(ended)?.slice(4)).toEqual([
        "undo-close Succeeded",
        "undo-start Succeeded",
        "undo-site Failed",
      ]);
      expect(readyOf(ended)).toEqual({
        reason: "KillSwitch",
        message: expect.stringContaining("; not undone: step site; it was undoing its steps since step more"),
      });
      expect(imageOf(await shop.live("web"))).toBe("web:v1");
    },
    TEST_MS,
  );

  it("leaves a status that every reader of conditions understands", async () => {
    const versions = await storedVersions(world.controlPlane.auditLogPath);
    expect(versions.length).toBeGreaterThan(50);
    expect(statusComplaints(versions)).toEqual([]);
  });
});
