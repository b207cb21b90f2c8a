import { describe, expect, it } from "@jest/globals";
import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/errors.ts";
import type { ResourceType } from "../../kube/objects.ts";
import type { JsonPatchOperation } from "../../kube/patch.ts";
import type { HorizontalPodAutoscaler } from "../../kube/scale-types.ts";
import { applied } from "../../workloads/testing/memory-workloads.ts";
import type { EarlierSteps, PlanContext, PlanResult } from "../action.ts";
import { scaleAction } from "./index.ts";
import type { ScalePlan } from "./plan.ts";
import { REFUSE_OWNED } from "../../gitops/rule.ts";

const signal = new AbortController().signal;
const action = scaleAction({ stuckAfterMs: () => 10_000 });
const metadata = {
  name: "web",
  namespace: "shop",
  uid: "uid-web",
  resourceVersion: "1",
  creationTimestamp: "",
};
const HPA: HorizontalPodAutoscaler = {
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { ...metadata, name: "hpa" },
  spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" }, maxReplicas: 9 },
};

/** One Deployment and what scales it, in memory; JSON patches are judged as the API server does. */
function world(replicas: number, hpa?: HorizontalPodAutoscaler) {
  const refuse = (code: number, reason: string) =>
    new KubeError({
      code,
      reason,
      verb: "",
      target: "",
      path: "",
      detail: "said the server",
      retryable: false,
      outcomeUnknown: false,
    });
  const scaleOf = () => ({
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    metadata,
    spec: state.replicas === 0 ? {} : { replicas: state.replicas },
    status: { replicas: state.replicas, selector: "app=web" },
  });
  const state = {
    replicas,
    ready: replicas,
    observedGeneration: 1,
    writes: 0,
    mayWrite: true,
    client: {
      async tryGet(type: ResourceType, _key: unknown, { subresource }: { readonly subresource?: string }) {
        if (subresource === "scale") return scaleOf();
        return {
          apiVersion: type.apiVersion,
          kind: type.kind,
          metadata: { ...metadata, generation: 1 },
          spec: { replicas: state.replicas, selector: { matchLabels: { app: "web" } } },
          status: {
            observedGeneration: state.observedGeneration,
            replicas: state.replicas,
            readyReplicas: state.ready,
          },
        };
      },
      async getPath(path: string) {
        if (path !== "/apis/autoscaling") throw refuse(404, "ApiNotServed");
      },
      async list({ kind }: ResourceType) {
        return { items: kind === HPA.kind && hpa !== undefined ? [hpa] : [], resourceVersion: "1" };
      },
      async patch(
        _type: ResourceType,
        _key: unknown,
        patch: { readonly operations: readonly JsonPatchOperation[] },
        { dryRun }: { readonly dryRun: boolean },
      ) {
        if (!state.mayWrite) throw refuse(403, "Forbidden");
        const changed = patch.operations.reduce<unknown>(
          (object, operation) => (object === undefined ? undefined : applied(object, operation)),
          scaleOf(),
        ) as ReturnType<typeof scaleOf> | undefined;
        if (changed === undefined) throw refuse(422, "Invalid");
        if (dryRun) return changed;
        state.writes += 1;
        state.replicas = changed.spec.replicas ?? 0;
        return changed;
      },
    } as unknown as KubeClient,
  };
  return state;
}

type World = ReturnType<typeof world>;

function plan(of: World, replicas: number, known: Partial<PlanContext> = {}): Promise<PlanResult<ScalePlan>> {
  return action.plan(
    "step",
    { kind: "Deployment", name: "web", replicas },
    {
      executor: of.client,
      executorName: "rollback-executor",
      namespace: "shop",
      ledger: undefined,
      from: undefined,
      earlier: undefined,
      expectedPodTemplateHash: undefined,
      gitOps: REFUSE_OWNED,
      allowedImages: [],
      automatic: false,
      now: 0,
      signal,
      ...known,
    },
  );
}

async function planned(of: World, replicas: number, known: Partial<PlanContext> = {}): Promise<ScalePlan> {
  const result = await plan(of, replicas, known);
  if (result.kind !== "Planned") throw new Error(JSON.stringify(result));
  return result.plan;
}

const context = ({ client }: World) => ({
  executor: client,
  namespace: "shop",
  signal,
  now: 0,
  appliedAt: 0,
  soak: { key: "", restored: [], signals: [] },
});
const earlier = (replicas: number, done: boolean): EarlierSteps => ({ end: { replicas }, done });

describe("planning a number of replicas", () => {
  it("keeps what was accepted, unless an autoscaler moved it", async () => {
    const from = { replicas: 2 };

    expect(await plan(world(3), 0, { from })).toMatchObject({
      kind: "Superseded",
      message: expect.stringContaining("from 2 to 3 replicas"),
    });
    expect(await planned(world(3, HPA), 0, { from })).toMatchObject({ from: { replicas: 3 } });
    expect(await plan(world(0, HPA), 3, { from: { replicas: 2 } })).toMatchObject({ kind: "Superseded" });
  });

  it("leaves the number out of the digest only where an autoscaler moves it", async () => {
    const digests = async (hpa?: HorizontalPodAutoscaler) => [
      (await planned(world(2, hpa), 0)).digest,
      (await planned(world(3, hpa), 0)).digest,
    ];
    const [fixed, other] = await digests();
    const [floating, same] = await digests(HPA);

    expect(fixed).not.toBe(other);
    expect(floating).toBe(same);
  });

  it("starts where an earlier step of the same request ends", async () => {
    const before = await planned(world(2), 3, { earlier: earlier(0, false) });
    const afterwards = await planned(world(0), 3, { earlier: earlier(0, true), from: { replicas: 0 } });

    expect(before).toMatchObject({ from: { replicas: 0 }, to: { replicas: 3 } });
    expect(afterwards.digest).toBe(before.digest);
    expect(await plan(world(1), 3, { earlier: earlier(0, true) })).toMatchObject({ kind: "Superseded" });
    expect(await plan(world(2), 0, { earlier: earlier(0, false) })).toMatchObject({ kind: "NothingToDo" });
  });

  it("refuses what the server refuses", async () => {
    const shop = world(2);
    shop.mayWrite = false;

    expect(await plan(shop, 0)).toMatchObject({ kind: "Refused", reason: "DryRunRefused" });
  });
});

describe("setting a number of replicas", () => {
  it("goes on where an autoscaler moved the number since the plan, but for 0", async () => {
    const shop = world(2, HPA);
    const step = await planned(shop, 0);
    shop.replicas = 5;

    expect(await action.apply(step, context(shop))).toEqual({ kind: "Applied", alreadyThere: false });
    expect(shop.replicas).toBe(0);
    const back = action.reverse(step, { replicas: 0 });
    shop.replicas = 4;
    expect(await action.apply(back, context(shop))).toMatchObject({ kind: "Superseded" });
    expect(shop.writes).toBe(1);
  });

  it("gives up when the server says no", async () => {
    const shop = world(2);
    const step = await planned(shop, 0);
    shop.mayWrite = false;

    expect(await action.apply(step, context(shop))).toMatchObject({ kind: "Refused", reason: "StepFailed" });
  });
});

describe("watching the number of replicas", () => {
  it("is not done before the controller has seen it, and not before the pods are ready", async () => {
    const shop = world(1);
    const step = await planned(shop, 3);
    await action.apply(step, context(shop));
    shop.observedGeneration = 0;
    expect(await action.observe(step, context(shop))).toMatchObject({
      kind: "InProgress",
      message: expect.stringContaining("has not seen the change"),
    });
    shop.observedGeneration = 1;
    expect(await action.observe(step, context(shop))).toMatchObject({
      kind: "InProgress",
      message: "1/3 ready",
    });
    shop.ready = 3;
    expect(await action.observe(step, context(shop))).toEqual({
      kind: "Done",
      message: "3/3 ready",
      after: { replicas: 3 },
    });
  });

  it("lets an autoscaler take over from what was started, and nobody else", async () => {
    for (const [hpa, kind] of [
      [HPA, "Done"],
      [undefined, "Superseded"],
    ] as const) {
      const shop = world(0, hpa);
      const step = await planned(shop, 3);
      await action.apply(step, context(shop));
      Object.assign(shop, { replicas: 5, ready: 5 });

      expect(await action.observe(step, context(shop))).toMatchObject({ kind });
    }
    const stopped = world(2, HPA);
    const step = await planned(stopped, 0);
    expect(await action.observe(step, context(stopped))).toMatchObject({ kind: "Superseded" });
  });
});
