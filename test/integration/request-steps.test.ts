import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ROLLBACK_LEDGERS, type RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { podType } from "../../src/kube/well-known.ts";
import { readAudit, type AuditEvent } from "../cluster/audit.ts";
import { inParallel } from "../support/in-parallel.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import type { OperatorProcess } from "../support/operator-process.ts";
import { imageOf, openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 120_000;
const HOLD = "test.example/hold";

const signal = new AbortController().signal;
const scale = (target: string, replicas: number) => ({
  scale: { kind: "Deployment", name: target, replicas },
});
const restart = (target: string) => ({ restart: { kind: "Deployment", name: target } });
const workload = (target: string) => ({
  workload: { kind: "Deployment", name: target, to: { strategy: "Previous" } },
});
const stepsOf = (steps: Readonly<Record<string, PartialSpec>>) => ({
  steps: Object.entries(steps).map(([name, step]) => ({ name, ...step })),
});

describe("a request of several steps", () => {
  let world: World;
  let operator: OperatorProcess;

  beforeAll(async () => {
    world = await startWorld();
    operator = await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** `web` with a bad release over a good one, and `worker` beside it. */
  async function openBoth(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["workload", "scale", "restart"] });
    await Promise.all([shop.open("web").then(() => shop.release("web:v2", "web")), shop.open("worker")]);
    return shop;
  }

  async function podsOf({ namespace }: Shop, app: string) {
    const { items } = await world.client.list(podType, { namespace, labelSelector: `app=${app}`, signal });
    return items;
  }

  /** Pods of this app go on terminating until they are let go. */
  async function hold(shop: Shop, app: string): Promise<void> {
    for (const { metadata } of await podsOf(shop, app)) await finalizers(shop, metadata.name, [HOLD]);
  }

  async function letGo(shop: Shop, app: string): Promise<void> {
    for (const { metadata } of await podsOf(shop, app)) await finalizers(shop, metadata.name, null);
  }

  async function finalizers(
    { namespace }: Shop,
    name: string,
    value: readonly string[] | null,
  ): Promise<void> {
    const patch = { kind: "merge", value: { metadata: { finalizers: value } } } as const;
    await world.client.patch(podType, { namespace, name }, patch, { signal });
  }

  /** Accepted writes of the executor, in order, as `web` and `worker/scale`. */
  async function writes({ namespace, executor }: Shop): Promise<readonly AuditEvent[]> {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit.writes({ namespace, actor: executor });
  }
  const namesOf = (events: readonly AuditEvent[]) =>
    events.map(({ objectRef }) => [objectRef?.name, objectRef?.subresource].filter(Boolean).join("/"));

  /** The request once the step of this index waits for held pods, with all the steps before it done. */
  const waitsIn = (shop: Shop, request: string, index: number) =>
    until(
      `step ${index} of ${request} waits`,
      () => shop.request(request),
      ({ status }) =>
        status?.steps?.[index]?.state === "Applied" &&
        readyOf({ status } as RollbackRequest).message.includes("not gone"),
    );

  const statesOf = ({ status }: RollbackRequest) => status?.steps?.map(({ state }) => state);

  async function inOrder(): Promise<void> {
    const shop = await openBoth("order");
    const good = (await shop.replicaSets("web")).find(
      ({ spec }) => spec.template.spec.containers[0]?.image === "web:v1",
    );
    const steps = {
      stop: scale("worker", 0),
      site: workload("web"),
      fresh: restart("web"),
      start: scale("worker", 3),
    };

    await shop.ask("undo", undefined, stepsOf(steps));
    const ended = await shop.ended("undo");

    expect(readyOf(ended).message).toContain("verified: pods 2/2 ready, version");
    expect(ended.status).toMatchObject({
      phase: "Succeeded",
      progress: "4/4",
      target: "Deployment/worker +1",
      steps: [
        { state: "Succeeded", before: { replicas: 2 }, after: { replicas: 0 } },
        { state: "Succeeded", after: { uid: good?.metadata.uid, revision: 3 } },
        { state: "Succeeded", before: { uid: good?.metadata.uid, revision: 3 }, after: { revision: 4 } },
        { state: "Succeeded", before: { replicas: 0 }, after: { replicas: 3 } },
      ],
    });
    const [web, worker] = await Promise.all([shop.live("web"), shop.live("worker")]);
    expect(imageOf(web)).toBe("web:v1");
    expect(web.spec.template.metadata?.annotations).toEqual({
      "kubectl.kubernetes.io/restartedAt": ended.status?.plan?.steps[2]?.to?.restartedAt,
    });
    expect(worker.spec.replicas).toBe(3);
    const acts = await writes(shop);
    expect(namesOf(acts)).toEqual(["worker/scale", "web", "web", "worker/scale"]);
    // Each act came when the step before it had ended.
    const finished = ended.status?.steps?.map(({ finishedAt }) => Date.parse(finishedAt ?? "")) ?? [];
    for (const [index, act] of acts.entries()) {
      if (index === 0) continue;
      expect(Date.parse(act.requestReceivedTimestamp)).toBeGreaterThanOrEqual(
        finished[index - 1] ?? Infinity,
      );
    }
    const { items } = await world.client.list(ROLLBACK_LEDGERS, { namespace: shop.namespace, signal });
    const ledger = items.find(({ spec }) => spec.target.name === "web")?.spec;
    expect(ledger?.marks).toMatchObject([{ revision: 2, request: "undo" }]);
    expect(ledger?.releases.map(({ rollbackBy }) => rollbackBy)).toEqual(["undo"]);
    // The restart is no release: what is live is still what the rollback made.
    await shop.ask("again", { strategy: "LastKnownGood" });
    expect(readyOf(await shop.ended("again"))).toMatchObject({
      reason: "NothingToDo",
      message: expect.stringContaining("already rolled back by undo"),
    });
    expect(await writes(shop)).toHaveLength(4);
  }

  async function showsProgress(): Promise<void> {
    const shop = await openBoth("progress");
    await hold(shop, "worker");
    const steps = { more: scale("web", 3), stop: scale("worker", 0), site: workload("web") };

    await shop.ask("undo", undefined, stepsOf(steps));
    await waitsIn(shop, "undo", 1);

    const table = await world.kubectl(["get", "rbr", "undo", "-n", shop.namespace, "-o", "wide"]);
    const [header = "", row = ""] = table.split("\n");
    const column = (name: string) =>
      row
        .slice(header.indexOf(name))
        .split(/\s{2,}/)[0]
        ?.trim();
    expect(column("PROGRESS")).toBe("1/3");
    expect(column("TARGET")).toBe("Deployment/web +1");
    expect([column("FROM"), column("TO")]).toEqual(["2", "3"]);
    expect(column("MESSAGE")).toMatch(/^step stop \(2 of 3\): 2 pods are not gone yet/);
    // No pod is wanted any more; those that terminate are what it waits for.
    expect((await shop.live("worker")).status?.replicas ?? 0).toBe(0);
    expect(imageOf(await shop.live("web"))).toBe("web:v2");

    await letGo(shop, "worker");
    expect((await shop.ended("undo")).status).toMatchObject({ phase: "Succeeded", progress: "3/3" });
    expect(imageOf(await shop.live("web"))).toBe("web:v1");
  }

  async function supersededBetween(): Promise<void> {
    const shop = await openBoth("superseded");
    await hold(shop, "worker");
    await shop.ask(
      "undo",
      undefined,
      stepsOf({ stop: scale("worker", 0), site: workload("web"), start: scale("worker", 2) }),
    );
    await waitsIn(shop, "undo", 0);
    await shop.release("web:v3", "web");
    await letGo(shop, "worker");

    const ended = await shop.ended("undo");

    expect(ended.status?.phase).toBe("Failed");
    expect(readyOf(ended)).toEqual({
      reason: "Superseded",
      message: expect.stringMatching(
        /^step site \(2 of 3\): .*revision 2 to revision 3.*; the change of step stop stays$/,
      ),
    });
    expect(statesOf(ended)).toEqual(["Succeeded", "Superseded", "Pending"]);
    expect(imageOf(await shop.live("web"))).toBe("web:v3");
    expect(namesOf(await writes(shop))).toEqual(["worker/scale"]);
  }

  async function scaledMeanwhile(): Promise<void> {
    const shop = await openBoth("rescaled");
    await hold(shop, "worker");
    await shop.ask("undo", undefined, stepsOf({ stop: scale("worker", 0), site: workload("web") }));
    await waitsIn(shop, "undo", 0);
    await world.kubectl(["scale", "deployment/worker", "--replicas=1", "-n", shop.namespace]);

    const ended = await shop.ended("undo");
    await letGo(shop, "worker");

    expect(readyOf(ended)).toMatchObject({
      reason: "Superseded",
      message: expect.stringContaining(
        "Deployment/worker was set to 1 replicas by somebody else after the act",
      ),
    });
    expect((await shop.live("worker")).spec.replicas).toBe(1);
    expect(imageOf(await shop.live("web"))).toBe("web:v2");
  }

  async function abortedBetween(): Promise<void> {
    const shop = await openBoth("aborted");
    await hold(shop, "worker");
    await shop.ask(
      "undo",
      undefined,
      stepsOf({ more: scale("web", 3), stop: scale("worker", 0), site: workload("web") }),
    );
    await waitsIn(shop, "undo", 1);
    await shop.annotate("undo", { "rollback.llm-research-lab.io/abort": "true" });

    const ended = await shop.ended("undo");
    await letGo(shop, "worker");

    expect(ended.status?.phase).toBe("Aborted");
    expect(readyOf(ended).message).toMatch(
      /^step stop \(2 of 3\): aborted after the change was stored.*; the change of step more stays$/,
    );
    expect(namesOf(await writes(shop))).toEqual(["web/scale", "worker/scale"]);
    expect(imageOf(await shop.live("web"))).toBe("web:v2");
  }

  async function overTheDeadline(): Promise<void> {
    const shop = await openBoth("deadline");
    await hold(shop, "worker");
    const steps = stepsOf({ more: scale("web", 3), stop: scale("worker", 0), site: workload("web") });
    await shop.ask("undo", undefined, { ...steps, deadline: "4s" });

    const ended = await shop.ended("undo");
    await letGo(shop, "worker");

    expect(ended.status?.phase).toBe("Failed");
    expect(readyOf(ended)).toEqual({
      reason: "DeadlineExceeded",
      message: expect.stringMatching(/the deadline of 4s passed/),
    });
    const done = statesOf(ended)?.filter((state) => state === "Succeeded").length ?? 0;
    expect(done).toBeLessThan(2);
    if (done === 1) expect(readyOf(ended).message).toContain("the change of step more stays");
    expect(imageOf(await shop.live("web"))).toBe("web:v2");
  }

  async function skipsIdleSteps(): Promise<void> {
    const shop = await openBoth("idle");
    const steps = { first: scale("worker", 2), site: workload("web"), last: scale("web", 2) };
    await shop.ask("undo", undefined, stepsOf(steps));
    const ended = await shop.ended("undo");

    expect(ended.status).toMatchObject({ phase: "Succeeded", progress: "3/3" });
    expect(statesOf(ended)).toEqual(["Skipped", "Succeeded", "Skipped"]);
    expect(namesOf(await writes(shop))).toEqual(["web"]);

    await shop.ask("none", undefined, stepsOf({ first: scale("worker", 2), last: scale("web", 2) }));
    expect(readyOf(await shop.ended("none"))).toMatchObject({
      reason: "NothingToDo",
      message: expect.stringMatching(/worker has 2 replicas already; .*web has 2 replicas already/),
    });
  }

  /** Opposite orders at the same time, several times over: whoever comes second finds another world. */
  async function neverInterleaved(): Promise<void> {
    const pairs = await Promise.all(["pair-a", "pair-b", "pair-c"].map(openBoth));
    await Promise.all(
      pairs.map(async (shop) => {
        const forth = { one: scale("web", 3), two: scale("worker", 3) };
        const back = { one: scale("worker", 1), two: scale("web", 1) };
        await Promise.all([
          shop.ask("forth", undefined, stepsOf(forth)),
          shop.ask("back", undefined, stepsOf(back)),
        ]);
        const ended = await Promise.all([shop.ended("forth"), shop.ended("back")]);
        const done = ended.filter(({ status }) => status?.phase === "Succeeded");
        const given = ended.filter(({ status }) => status?.phase === "Superseded");
        expect(done.length).toBeGreaterThan(0);
        expect(done.length + given.length).toBe(2);
        const began = (request: RollbackRequest) => Date.parse(request.status?.steps?.[0]?.startedAt ?? "");
        const order = done.toSorted((a, b) => began(a) - began(b)).map(({ metadata }) => metadata.name);
        const expected = order.flatMap((name) =>
          name === "forth" ? ["web/scale", "worker/scale"] : ["worker/scale", "web/scale"],
        );
        expect(namesOf(await writes(shop))).toEqual(expected);
        const last = order.at(-1) === "forth" ? 3 : 1;
        for (const name of ["web", "worker"]) expect((await shop.live(name)).spec.replicas).toBe(last);
      }),
    );
  }

  /** A rollback is a change too: naming the version that was left restores it, and blames nobody. */
  async function undoesAnUndo(): Promise<void> {
    const shop = await openShop(world, "undo-of-undo");
    await shop.open();
    const before = await shop.release("web:v2");
    const ledger = async () => {
      const { items } = await world.client.list(ROLLBACK_LEDGERS, { namespace: shop.namespace, signal });
      return items[0]?.spec;
    };
    await shop.ask("undo", { strategy: "Previous" });
    await shop.ended("undo");
    const marks = (await ledger())?.marks;
    expect(marks).toMatchObject([{ revision: 2, request: "undo" }]);

    await shop.ask("way-back", { revision: 2 });
    const back = await shop.ended("way-back");

    expect(back.status).toMatchObject({ phase: "Succeeded" });
    expect(back.status?.plan?.steps[0]?.warnings).toContainEqual(
      expect.stringContaining("rolled back by undo"),
    );
    expect((await shop.live()).spec.template).toEqual(before.spec.template);
    expect((await ledger())?.marks).toEqual(marks);
    for (const strategy of ["LastKnownGood", "Previous"]) {
      const name = strategy.toLowerCase();
      await shop.ask(name, { strategy });
      expect(readyOf(await shop.ended(name))).toMatchObject({
        reason: "NothingToDo",
        message: expect.stringContaining("already rolled back by way-back; name a revision to go further"),
      });
    }
    expect(await shop.acts()).toHaveLength(2);
    // Whoever wants the good version after all names it by its new number, and the bad one stays marked.
    await shop.ask("good", { revision: 3 });
    await shop.ended("good");
    expect(imageOf(await shop.live())).toBe("web:v1");
    expect((await ledger())?.marks).toContainEqual(marks?.[0]);
  }

  inParallel(
    {
      "is carried out in order, each step when the one before it is complete": inOrder,
      "shows how far it is, and waits for pods that terminate": showsProgress,
      "stops where the next object was changed by somebody else, and says what stays": supersededBetween,
      "stops where its own step is undone by somebody else": scaledMeanwhile,
      "aborts between steps": abortedBetween,
      "ends when all of it takes too long": overTheDeadline,
      "skips steps that have nothing to do": skipsIdleSteps,
      "takes all its locks or none: no deadlock, never interleaved": neverInterleaved,
      "that undoes an undo restores the version and marks nothing": undoesAnUndo,
    },
    TEST_MS,
  );

  it(
    "is resumed after kill -9 between its steps, nothing twice",
    async () => {
      const shop = await openBoth("killed");
      await hold(shop, "worker");
      const steps = {
        more: scale("web", 3),
        stop: scale("worker", 0),
        site: workload("web"),
        fresh: restart("web"),
      };
      await shop.ask("undo", undefined, stepsOf(steps));
      await waitsIn(shop, "undo", 1);
      await operator.kill();
      // What it waits for happens while nobody looks.
      await letGo(shop, "worker");
      operator = await world.operator();
      await until(
        "the third step has begun",
        () => shop.request("undo"),
        ({ status }) => status?.steps?.[2]?.state !== "Pending",
      );
      await operator.kill();
      operator = await world.operator();

      const ended = await shop.ended("undo");

      expect(ended.status).toMatchObject({ phase: "Succeeded", progress: "4/4" });
      expect(namesOf(await writes(shop))).toEqual(["web/scale", "worker/scale", "web", "web"]);
      const web = await shop.live("web");
      expect(imageOf(web)).toBe("web:v1");
      expect(web.spec.replicas).toBe(3);
      expect(web.spec.template.metadata?.annotations).toEqual({
        "kubectl.kubernetes.io/restartedAt": ended.status?.plan?.steps[3]?.to?.restartedAt,
      });
      expect((await shop.live("worker")).spec.replicas).toBe(0);
    },
    TEST_MS,
  );

  it("leaves a status that every reader of conditions understands", async () => {
    const versions = await storedVersions(world.controlPlane.auditLogPath);
    expect(versions.length).toBeGreaterThan(50);
    expect(statusComplaints(versions)).toEqual([]);
  });
});
