import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Action, ApplyContext, ApplyResult, PlanContext } from "../../src/actions/action.ts";
import { writingActions } from "../../src/actions/registry.ts";
import { RollbackRequestStatus, type PlannedStep, type StepEnd } from "../../src/crds/rollback-request.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { groupOf } from "../../src/kube/objects.ts";
import { awaitWrites, readAudit } from "../cluster/audit.ts";
import { startArgoRollouts, type ArgoRollouts } from "../support/argo-rollouts.ts";
import { MACHINE } from "../support/blue-green.ts";
import { startMachine } from "../support/machine.ts";
import { Crash, faultyClient, type Faults } from "../support/faulty-client.ts";
import { installOwnerCrds } from "../support/owner-crds.ts";
import { installRouteCrds } from "../support/route-crds.ts";
import { isNoNudge } from "../support/rollouts.ts";
import { openShop, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";
import type { ActionCase, Stage } from "./action-case.ts";
import { blueGreenCases } from "./cases/blue-green.ts";
import { canaryCases } from "./cases/canary.ts";
import { configMapCases } from "./cases/config-map.ts";
import { featureFlagCases } from "./cases/feature-flag.ts";
import { restartCases } from "./cases/restart.ts";
import { scaleCases } from "./cases/scale.ts";
import { workloadCases } from "./cases/workload.ts";
import { REFUSE_OWNED } from "../../src/gitops/rule.ts";

const START_MS = 90_000;
const TEST_MS = 120_000;

const ACTIONS = writingActions({ stuckAfterMs: () => 60_000 });

type SpecOf<Kind extends keyof typeof ACTIONS> = Parameters<(typeof ACTIONS)[Kind]["objectOf"]>[0];

/** Every action of the registry has rows here; what they need is in action-case.ts. */
const CASES = {
  workload: workloadCases,
  scale: scaleCases,
  restart: restartCases,
  blueGreen: blueGreenCases,
  canary: canaryCases,
  configMap: configMapCases,
  featureFlag: featureFlagCases,
} satisfies { readonly [Kind in keyof typeof ACTIONS]: readonly ActionCase<SpecOf<Kind>>[] };

const signal = new AbortController().signal;

/** The crash that is the cause of it; anything else is thrown on. */
function crashIn(error: unknown): Crash {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof Crash) return cause;
  throw error;
}

describe("the conformance of actions", () => {
  let world: World;
  let machine: Awaited<ReturnType<typeof startMachine>> | undefined;
  let argo: ArgoRollouts | undefined;
  const tried = new Set<string>();

  beforeAll(async () => {
    // Endpoints of a Service are pods with an address, on a node.
    world = await startWorld({ podIP: "10.1.2.3" });
    machine = await startMachine(world.client, MACHINE);
    await Promise.all([installRouteCrds(world.kubectl), installOwnerCrds(world.kubectl)]);
    argo = await startArgoRollouts(world);
  }, START_MS);

  afterAll(async () => {
    await argo?.stop();
    await machine?.stop();
    await world?.stop();
  }, START_MS);

  it("is asked of every action that the operator has", () => {
    expect([...tried].toSorted()).toEqual(Object.keys(ACTIONS).toSorted());
    for (const rows of Object.values(CASES)) expect(rows).not.toEqual([]);
  });

  conforms(ACTIONS.workload, CASES.workload);
  conforms(ACTIONS.scale, CASES.scale);
  conforms(ACTIONS.restart, CASES.restart);
  conforms(ACTIONS.blueGreen, CASES.blueGreen);
  conforms(ACTIONS.canary, CASES.canary);
  conforms(ACTIONS.configMap, CASES.configMap);
  conforms(ACTIONS.featureFlag, CASES.featureFlag);

  function conforms<Spec, Plan extends PlannedStep>(
    bare: Action<Spec, Plan>,
    rows: readonly ActionCase<Spec>[],
  ): void {
    const action = withSpecs(bare);
    tried.add(action.kind);
    // As it stands in the names of objects.
    const kind = action.kind.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    describe.each(rows.map((row, index) => ({ row, index, title: row.title })))(
      `${action.kind}: $title`,
      ({ row, index }) => {
        let shop: Shop;
        let stage: Stage;
        let executor: KubeClient;
        let ordinal = 0;

        beforeAll(async () => {
          const namespace = `${kind}-${index}`;
          // The role that is shipped for this action, and no other.
          shop = await openShop(world, namespace, { actions: [kind, ...(row.roles ?? [])] });
          stage = { world, shop };
          executor = world.client.as({ namespace, name: "rollback-executor" });
        }, START_MS);

        const planContext = (): PlanContext => ({
          executor,
          executorName: "rollback-executor",
          namespace: shop.namespace,
          ledger: undefined,
          from: undefined,
          earlier: undefined,
          expectedPodTemplateHash: undefined,
          gitOps: REFUSE_OWNED,
          allowedImages: [],
          automatic: false,
          now: Date.now(),
          signal,
        });
        const applyContext = (as = executor): ApplyContext => ({
          executor: as,
          namespace: shop.namespace,
          signal,
          now: Date.now(),
          appliedAt: undefined,
          soak: { key: "", restored: [], signals: [] },
        });
        const live = (name: string) => row.live(stage, name);
        const partOf = async (name: string) => row.part(await live(name));
        /** Counts the changes; of a kind that has no generation those in the audit log, where there are `expected`. */
        async function generationOf(name: string, expected: number): Promise<number> {
          if (row.changes !== undefined) return row.changes(stage, name);
          const { metadata, kind: ofObject } = await live(name);
          if (metadata.generation !== undefined) return metadata.generation;
          const verb = ["patch", "update"] as const;
          const filter = { verb, resource: `${ofObject.toLowerCase()}s`, namespace: shop.namespace, name };
          const writes = await awaitWrites(world.controlPlane.auditLogPath, filter, { count: expected });
          return writes.length;
        }

        async function planned(spec: Spec): Promise<Plan> {
          const result = await action.plan("step", spec, planContext());
          if (result.kind !== "Planned") throw new Error(JSON.stringify(result));
          return result.plan;
        }

        /** A fresh object with its plan, and how it was before. */
        async function scene() {
          const name = `${kind}-${(ordinal += 1)}`;
          const spec = await row.open(stage, name);
          const plan = await planned(spec);
          const before = await partOf(name);
          return { name, spec, plan, before, generation: await generationOf(name, 0) };
        }

        /** The act, as often as what it needs first takes. */
        async function apply(plan: Plan, as = executor): Promise<ApplyResult> {
          return until(
            `${plan.object} is prepared`,
            () => action.apply(plan, applyContext(as)),
            ({ kind: result }) => result !== "Preparing",
          );
        }

        async function done(plan: Plan): Promise<StepEnd> {
          const progress = await until(
            `${plan.object} is done`,
            async () => {
              const seen = await action.observe(plan, applyContext());
              if (seen.kind === "InProgress" && seen.needsAdvance === true) {
                await action.advance?.(plan, applyContext());
              }
              return seen;
            },
            ({ kind }) => kind !== "InProgress",
          );
          if (progress.kind !== "Done") throw new Error(JSON.stringify(progress));
          return progress.after ?? {};
        }

        async function changesOf(name: string) {
          const audit = await readAudit(world.controlPlane.auditLogPath);
          const filter = { namespace: shop.namespace, name, actor: shop.executor };
          return audit.writes(filter).filter(isNoNudge);
        }

        it(
          "needs no more than the shipped role grants",
          async () => {
            const { spec } = await scene();
            const answers = await Promise.all(
              action.requiredRights(spec).map(async ({ apiGroup, resource: path, ...right }) => {
                const [resource = "", subresource] = path.split("/");
                const asked = { ...right, namespace: shop.namespace, group: apiGroup, resource };
                const full = subresource === undefined ? asked : { ...asked, subresource };
                return { ...full, ...(await executor.canI(full, { signal })) };
              }),
            );

            expect(answers.filter(({ allowed }) => !allowed)).toEqual([]);
          },
          TEST_MS,
        );

        it(
          "names what it writes as the key of its lock",
          async () => {
            const { name, spec, plan } = await scene();
            const { apiVersion, kind } = await live(name);
            const [key] = action.lockKeys(spec, shop.namespace);

            expect(key).toEqual({ group: groupOf({ apiVersion }), kind, namespace: shop.namespace, name });
            expect([action.objectOf(spec), plan.object, plan.action]).toEqual([
              `${kind}/${name}`,
              `${kind}/${name}`,
              action.kind,
            ]);
          },
          TEST_MS,
        );

        it(
          "plans without changing anything, and the same again",
          async () => {
            const { name, spec, plan } = await scene();
            const { resourceVersion } = (await live(name)).metadata;

            const again = await planned(spec);

            expect(again.digest).toBe(plan.digest);
            expect((await live(name)).metadata.resourceVersion).toBe(resourceVersion);
            expect(await changesOf(name)).toEqual([]);
          },
          TEST_MS,
        );

        it(
          "makes a plan that its status can hold, and knows a plan with missing members",
          async () => {
            const { plan } = await scene();
            const stored = RollbackRequestStatus.parse(
              JSON.parse(JSON.stringify({ plan: { digest: "d", steps: [plan] } })),
            ).plan?.steps[0];

            expect(stored).toEqual(plan);
            expect(stored && action.narrow(stored)).toEqual(plan);
            for (const member of ["objectUid", "from", "to"] as const) {
              const { [member]: _, ...rest } = { ...plan } as PlannedStep;
              expect(action.narrow(rest)).toBeUndefined();
            }
            expect(action.narrow({ ...plan, from: {} })).toBeUndefined();
            expect(action.narrow({ ...plan, to: {} })).toBeUndefined();
          },
          TEST_MS,
        );

        it(
          "applied twice changes once",
          async () => {
            const { name, plan, generation } = await scene();

            expect(await apply(plan)).toEqual({
              kind: "Applied",
              alreadyThere: false,
            });
            expect(await apply(plan)).toEqual({ kind: "Applied", alreadyThere: true });
            await done(plan);
            expect(await apply(plan)).toEqual({ kind: "Applied", alreadyThere: true });

            expect(row.hasArrived(await live(name), plan)).toBe(true);
            expect(await generationOf(name, generation + 1)).toBe(generation + 1);
            await awaitWrites(world.controlPlane.auditLogPath, {
              namespace: shop.namespace,
              name,
              actor: shop.executor,
            });
            expect(await changesOf(name)).toHaveLength(row.writesOfAct ?? 1);
          },
          TEST_MS,
        );

        it(
          "killed before or after any of its API calls, it resumes to the same end, changed once",
          async () => {
            const healthy = await scene();
            const counted = faultyClient(executor, {});
            await apply(healthy.plan, counted.client);
            const calls = counted.calls();
            expect(calls).toBeGreaterThan(1);
            const crashAt = (at: number) => (call: number) => {
              if (call === at) throw new Crash(`at call ${at}`);
            };
            const points = Array.from({ length: calls }, (_, index) => index + 1).flatMap(
              (at): { readonly faults: Faults }[] => [
                { faults: { before: crashAt(at) } },
                { faults: { after: crashAt(at) } },
              ],
            );

            await Promise.all(
              points.map(async ({ faults }) => {
                const { name, plan, generation } = await scene();
                const { client } = faultyClient(executor, faults);
                const death = await apply(plan, client).catch((error: unknown) => crashIn(error));
                // How often it has to look whether all is prepared depends on how fast pods are.
                if (row.prepares !== true) expect(death).toBeInstanceOf(Crash);

                expect(await apply(plan)).toMatchObject({ kind: "Applied" });
                await done(plan);

                expect(row.hasArrived(await live(name), plan)).toBe(true);
                expect(await generationOf(name, generation + 1)).toBe(generation + 1);
              }),
            );
          },
          TEST_MS,
        );

        describe.each(Object.entries(row.foreignChanges).map(([what, change]) => ({ what, change })))(
          "beside $what by somebody else",
          ({ change }) => {
            it(
              "between plan and act it gives way, and the other change stays",
              async () => {
                const { name, plan } = await scene();
                await change(stage, name);
                const theirs = await partOf(name);

                expect(await apply(plan)).toMatchObject({ kind: "Superseded" });
                expect(await partOf(name)).toEqual(theirs);
                expect(await changesOf(name)).toEqual([]);
              },
              TEST_MS,
            );

            it(
              "while its write is on the way it gives way, and the other change stays",
              async () => {
                const { name, plan } = await scene();
                let isFirst = true;
                const { client } = faultyClient(executor, {
                  async before(_, verb) {
                    if (verb !== (row.decisiveVerb ?? "patch") || !isFirst) return;
                    isFirst = false;
                    await change(stage, name);
                  },
                });

                expect(await apply(plan, client)).toMatchObject({ kind: "Superseded" });
                expect(isFirst).toBe(false);
                expect(row.hasArrived(await live(name), plan)).toBe(false);
                expect(await changesOf(name)).toEqual([]);
              },
              TEST_MS,
            );

            it(
              "after the act it says so, and its way back gives way too",
              async () => {
                const { name, plan } = await scene();
                await apply(plan);
                const after = await done(plan);
                await change(stage, name);
                const theirs = await partOf(name);

                expect(await action.observe(plan, applyContext())).toMatchObject({ kind: "Superseded" });
                expect(await apply(action.reverse(plan, after))).toMatchObject({
                  kind: "Superseded",
                });
                expect(await partOf(name)).toEqual(theirs);
              },
              TEST_MS,
            );
          },
        );

        it(
          "has a way back that brings what was before, once",
          async () => {
            const { name, plan, before, generation } = await scene();
            await apply(plan);
            const back = action.reverse(plan, await done(plan));

            expect(action.narrow(back)).toEqual(back);
            expect(await apply(back)).toEqual({
              kind: "Applied",
              alreadyThere: false,
            });
            expect(await apply(back)).toEqual({ kind: "Applied", alreadyThere: true });
            await done(back);

            expect(await partOf(name)).toEqual(before);
            expect(await generationOf(name, generation + 2)).toBe(generation + 2);
          },
          TEST_MS,
        );
      },
    );
  }
});

/** Each plan is carried out with the spec that it was made of, as a step is; a way back does without. */
function withSpecs<Spec, Plan extends PlannedStep>(action: Action<Spec, Plan>): Action<Spec, Plan> {
  const specs = new WeakMap<Plan, Spec>();
  return {
    ...action,
    async plan(name, spec, context) {
      const result = await action.plan(name, spec, context);
      if (result.kind === "Planned") specs.set(result.plan, spec);
      return result;
    },
    apply: (plan, context) => action.apply(plan, context, specs.get(plan)),
  };
}
