import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { kubeletOf, type Kubelet } from "../support/kubelet.ts";
import { startPolicyLab, type PolicyLab, type PolicyService } from "../support/policy-lab.ts";
import { container, imageOf, readyOf } from "../support/shop.ts";
import { until } from "../support/world.ts";

const START_MS = 150_000;
const TEST_MS = 120_000;

const OOM = {
  signals: [{ name: "oom-kills", pods: { terminated: "OOMKilled", window: "15m", distinctPods: 2 } }],
  matrix: [
    { name: "memory-leak", when: { signal: "oom-kills", above: "2" }, severity: "SEV3", action: "Rollback" },
  ],
};

function stateRow(name: string, pods: object, above = "0") {
  return {
    signals: [{ name, pods }],
    matrix: [{ name: "broken", when: { signal: name, above }, severity: "SEV1", action: "Rollback" }],
  };
}

describe("signals of pods", () => {
  let lab: PolicyLab;

  beforeAll(async () => {
    lab = await startPolicyLab({
      namespaces: ["plain", "oom", "loop", "pull", "probe", "others", "restart", "pending"],
      // More than five targets are rolled back here.
      config: { limits: { automaticRollbacksPer10Minutes: 50 } },
    });
  }, START_MS);

  afterAll(() => lab?.stop(), 60_000);

  async function watched(namespace: string, policy: object): Promise<[PolicyService, Kubelet]> {
    const service = await lab.service(namespace);
    await service.watch({ ...policy });
    await service.baked();
    return [service, kubeletOf(lab.world.client, namespace)];
  }

  async function rolledBack(service: PolicyService): Promise<string> {
    const [request] = await service.requested();
    const ended = await service.shop.ended(request?.metadata.name ?? "", 60_000);
    expect(readyOf(ended).reason).toBe("RolledBack");
    expect(imageOf(await service.shop.live())).toBe("web:v1");
    expect(ended.status?.checks?.every(({ outcome }) => outcome === "Passed")).toBe(true);
    return request?.spec.reason ?? "";
  }

  it(
    "are followed for policies that ask for them, and for nobody else",
    async () => {
      const watches = async (resource: string) => {
        const text = await (await fetch(`${lab.operator().url}/metrics`)).text();
        const line = new RegExp(`^rest_client_requests_total{verb="watch",resource="${resource}".*`, "m");
        return line.test(text);
      };
      const plain = await lab.service("plain");
      await plain.watch();
      await plain.baked();
      expect(await watches("deployments.apps")).toBe(true);
      expect(await watches("pods")).toBe(false);
      await plain.change(OOM);
      await until(
        "pods are followed",
        () => watches("pods"),
        (isFollowed) => isFollowed,
      );
      expect(await watches("vulnerabilityreports.aquasecurity.github.io")).toBe(false);
    },
    TEST_MS,
  );

  it(
    "roll back a release whose containers are killed for memory, once the third of them dies",
    async () => {
      const [service, kubelet] = await watched("oom", OOM);
      await service.released();
      const [first, second] = await kubelet.pods("web:v2");
      if (first === undefined || second === undefined) throw new Error("two pods were there");
      await kubelet.dies(first);
      await kubelet.dies(first, "Error");
      await kubelet.dies(first);
      await until(
        "three deaths are recorded",
        async () => (await service.ledger())?.spec.deaths ?? [],
        (deaths) => deaths.length === 3,
      );
      expect(await service.requests()).toEqual([]);
      await kubelet.dies(second);
      expect(await rolledBack(service)).toContain("oom-kills 3");
      expect((await service.ledger())?.spec.deaths).toHaveLength(4);
    },
    TEST_MS,
  );

  it(
    "roll back a release that crash-loops, and one whose image cannot be pulled",
    async () => {
      const loop = stateRow("crash-loop", { waiting: "CrashLoopBackOff", distinctPods: 1 });
      const pull = stateRow("image", { waiting: "ErrImagePull" });
      const [looping] = await watched("loop", loop);
      const [pulling] = await watched("pull", pull);
      await looping.shop.release("web:crash");
      await pulling.shop.release("web:pull-error");
      expect(await rolledBack(looping)).toContain("crash-loop");
      expect(await rolledBack(pulling)).toContain("image");
    },
    TEST_MS,
  );

  it(
    "roll back a release whose readiness probe fails for longer than it allows",
    async () => {
      const [service, kubelet] = await watched("probe", stateRow("ready", { failingProbe: "Readiness" }));
      const readinessProbe = {
        httpGet: { path: "/", port: 80 },
        periodSeconds: 1,
        failureThreshold: 2,
      };
      await service.shop.release(container({ image: "web:slow", readinessProbe }));
      for (const pod of await kubelet.pods("web:slow", 1, "Pending")) {
        const startedAt = new Date().toISOString().replace(/\.\d+Z$/, "Z");
        await kubelet.container(pod, { started: true, ready: false, state: { running: { startedAt } } });
      }
      expect(await rolledBack(service)).toContain("ready");
    },
    TEST_MS,
  );

  it(
    "count neither the pods of others nor those of older releases",
    async () => {
      const [service, kubelet] = await watched("others", OOM);
      await service.shop.open("neighbour", {
        template: container({ image: "neighbour:v1" }),
      });
      // The first release has died often, and its successor is as good as new.
      for (const pod of await kubelet.pods("web:v1")) {
        await kubelet.dies(pod);
        await kubelet.dies(pod);
      }
      const states = async () => (await service.policy()).status?.signals?.map(({ state }) => state);
      await until("the first release breaches", states, (all) => all?.[0] === "Breach");
      await service.shop.release("web:v2");
      await until("the second does not", states, (all) => all?.[0] === "Ok");
      for (const pod of await kubelet.pods("neighbour:v1")) {
        await kubelet.dies(pod);
        await kubelet.dies(pod);
      }
      const [own] = await kubelet.pods("web:v2");
      if (own === undefined) throw new Error("two pods were there");
      await kubelet.dies(own);
      const deaths = await until(
        "the death of its own is recorded",
        async () => (await service.ledger())?.spec.deaths ?? [],
        (all) => all.some(({ podUid }) => podUid === own.metadata.uid),
      );
      expect(new Set(deaths.map(({ replicaSetUid }) => replicaSetUid)).size).toBe(2);
      expect(deaths).toHaveLength(5);
      expect(await states()).toEqual(["Ok"]);
      expect(await service.requests()).toEqual([]);
    },
    TEST_MS,
  );

  it(
    "neither forget nor count again what died before the operator was killed",
    async () => {
      const [service, kubelet] = await watched("restart", OOM);
      await service.released();
      const [first, second] = await kubelet.pods("web:v2");
      if (first === undefined || second === undefined) throw new Error("two pods were there");
      await kubelet.dies(first);
      await kubelet.dies(second);
      const recorded = async () => (await service.ledger())?.spec.deaths?.length;
      await until("both are recorded", recorded, (count) => count === 2);
      await lab.operator().kill();
      await kubelet.vanishes(first);
      await lab.startOperator();
      const replaced = await until(
        "the pod is replaced",
        () => kubelet.pods("web:v2"),
        (pods) => pods.every(({ metadata }) => metadata.uid !== first.metadata.uid),
      );
      // Still two: the third is another one's.
      expect(await service.requests()).toEqual([]);
      const heir = replaced.find(({ metadata }) => metadata.uid !== second.metadata.uid);
      if (heir === undefined) throw new Error("a pod was made in its place");
      await kubelet.dies(heir);
      expect(await rolledBack(service)).toContain("oom-kills 3");
      expect(await recorded()).toBe(3);
      expect(await service.requests()).toHaveLength(1);
    },
    TEST_MS,
  );

  it(
    "go on with a row that was pending when the operator was killed",
    async () => {
      const policy = stateRow("crash-loop", { waiting: "CrashLoopBackOff" });
      const [row] = policy.matrix;
      const forMs = 12_000;
      const matrix = [{ ...row, when: { signal: "crash-loop", above: "0", for: "12s" } }];
      const [service, kubelet] = await watched("pending", { ...policy, matrix });
      await service.shop.release("web:slow");
      const [pod] = await kubelet.pods("web:slow", 1, "Pending");
      if (pod === undefined) throw new Error("a pod was there");
      const finishedAt = new Date().toISOString().replace(/\.\d+Z$/, "Z");
      const terminated = { exitCode: 1, reason: "Error", startedAt: finishedAt, finishedAt };
      await kubelet.container(pod, {
        ready: false,
        restartCount: 2,
        state: { waiting: { reason: "CrashLoopBackOff" } },
        lastState: { terminated },
      });
      await service.shows("Breached", "False", "RowPending");
      await lab.operator().kill();
      const killedAt = Date.now();
      await lab.startOperator();
      await service.requested();
      const [entry] = (await service.ledger())?.spec.automatic ?? [];
      const onset = Date.parse(entry?.trigger.breachSince ?? "");
      // The pods of the old release are still there, and say that nothing was wrong until this one came.
      expect(onset).toBeLessThan(killedAt);
      expect(Date.parse(entry?.at ?? "") - onset).toBeGreaterThanOrEqual(forMs);
      expect(Date.parse(entry?.at ?? "") - killedAt).toBeLessThan(forMs + 2_000);
    },
    TEST_MS,
  );

  it("leave only statuses that waiters can read", async () => {
    expect(await lab.complaints()).toEqual([]);
  });
});
