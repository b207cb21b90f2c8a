import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { defineResource, type KubeObject } from "../../src/kube/objects.ts";
import type { Rollout } from "../../src/kube/rollout-types.ts";
import { installArgoRolloutsCrds, startArgoRollouts, type ArgoRollouts } from "../support/argo-rollouts.ts";
import { blueGreen, isReady, rolloutsOf, type Rollouts } from "../support/rollouts.ts";
import { openShop, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 120_000;
const TEST_MS = 180_000;
const { signal } = new AbortController();

interface AnalysisTemplate extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
}

const analysisTemplateType = defineResource<AnalysisTemplate>({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "AnalysisTemplate",
  plural: "analysistemplates",
  namespaced: true,
});

/** As long as this is under way, the version before counts as stable. */
const ENDLESS_ANALYSIS = { postPromotionAnalysis: { templates: [{ templateName: "endless" }] } };

const hashOf = ({ status }: Rollout) => status?.currentPodHash ?? "";

/**
 * The trap: Argo Rollouts' abort moves the active Service only while the new ReplicaSet is fully available, and takes
 * that away all the same (rollout/service.go, reconcileActiveService). Against its real controller.
 */
describe("a blue/green Rollout whose new pods turn unready after the switch", () => {
  let world: World;
  let argo: ArgoRollouts | undefined;
  let shop: Shop;
  let rollouts: Rollouts;

  beforeAll(async () => {
    world = await startWorld();
    await installArgoRolloutsCrds(world.kubectl);
    argo = await startArgoRollouts(world);
    shop = await openShop(world, "colours", { actions: ["workload", "rollout"] });
    rollouts = rolloutsOf(world, shop);
    await world.client.create(
      analysisTemplateType,
      { metadata: { namespace: shop.namespace, name: "endless" }, spec: { metrics: [ENDLESS_METRIC] } },
      { signal },
    );
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await argo?.stop();
    await world?.stop();
  }, START_MS);

  /** v2 has the traffic, and then its pods are no longer ready. */
  async function broken(
    name: string,
    strategy: Parameters<typeof blueGreen>[1],
    switched?: (name: string, bad: string) => Promise<unknown>,
  ) {
    const stable = hashOf(await rollouts.open(name, blueGreen(name, strategy)));
    const bad = hashOf(await rollouts.release("web:v2", name));
    await switched?.(name, bad);
    await until(
      "the Service has moved to v2",
      () => rollouts.traffic(name),
      ({ hash, ready }) => hash === bad && ready === 2,
    );
    return {
      stable,
      bad,
      spoil: async () => {
        await rollouts.spoil(name, bad);
        const isOther = (set: string) => !set.endsWith(bad);
        const isGone = (status?: { readonly availableReplicas?: number }) =>
          (status?.availableReplicas ?? 0) === 0;
        // The controller goes by the ReplicaSet: only when that is known to be broken its abort is the trap.
        await until(
          "v2 is not available",
          () => rollouts.replicaSets(name),
          (sets) => sets.every(({ metadata, status }) => isOther(metadata.name) || isGone(status)),
        );
      },
    };
  }

  /** The controller sometimes sleeps over a change of the status: then something else has to wake it. */
  async function promoteByHand(name: string, bad: string): Promise<void> {
    await until(
      `${name} waits for its promotion`,
      () => rollouts.live(name),
      ({ status }) => (status?.pauseConditions ?? []).length > 0,
    );
    await rollouts.editStatus({ pauseConditions: null }, name);
    let woken = Date.now();
    await until(
      `${name} is promoted`,
      async () => {
        if (Date.now() - woken > 3_000) {
          woken = Date.now();
          await rollouts.edit([{ op: "add", path: "/metadata/annotations/woken", value: `${woken}` }], name);
        }
        return rollouts.traffic(name);
      },
      ({ hash }) => hash === bad,
    );
  }

  const ask = (name: string) =>
    shop.ask(name, undefined, {
      steps: [{ name: "app", workload: { kind: "Rollout", name, to: { strategy: "Previous" } } }],
    });

  /** Looks at the Service and the stable pods all the time until the request has ended. */
  async function watched(name: string, stable: string) {
    const seen: { readonly hash: string | undefined; readonly stableReady: number }[] = [];
    const over = new AbortController();
    const watching = (async () => {
      while (!over.signal.aborted) {
        const [{ hash }, pods] = await Promise.all([rollouts.traffic(name), rollouts.pods(name, stable)]);
        seen.push({ hash, stableReady: pods.filter(isReady).length });
        await sleep(20);
      }
    })();
    await ask(name);
    const ended = await shop.ended(name, 60_000);
    over.abort();
    await watching;
    return { ended, seen };
  }

  it(
    "Argo's own abort leaves the Service without a single pod; we bring it back to the stable ones from there",
    async () => {
      const { stable, bad, spoil } = await broken("trap", {
        ...ENDLESS_ANALYSIS,
        abortScaleDownDelaySeconds: 1,
      });
      await spoil();
      await rollouts.editStatus({ abort: true }, "trap");
      await until(
        "the aborted version is taken away",
        () => rollouts.pods("trap", bad),
        (pods) => pods.length === 0,
      );
      expect(await rollouts.traffic("trap")).toEqual({ hash: bad, ready: 0 });
      expect((await rollouts.pods("trap", stable)).filter(isReady)).toHaveLength(2);

      await ask("trap");

      expect(readyOf(await shop.ended("trap")).reason).toBe("RolledBack");
      expect(await rollouts.traffic("trap")).toEqual({ hash: stable, ready: 2 });
    },
    TEST_MS,
  );

  it(
    "the Service goes straight to the stable pods, which stay ready all the time",
    async () => {
      const { stable, bad, spoil } = await broken("straight", ENDLESS_ANALYSIS);
      await spoil();

      const { ended, seen } = await watched("straight", stable);

      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(await rollouts.traffic("straight")).toEqual({ hash: stable, ready: 2 });
      expect(seen.map(({ stableReady }) => stableReady).filter((ready) => ready < 2)).toEqual([]);
      // There is one move, and none back.
      const hashes = seen.map(({ hash }) => hash);
      expect(hashes.filter((hash, index) => hash !== hashes[index - 1])).toEqual([bad, stable]);
      // No abort: the template alone.
      expect(await rollouts.acts("straight", 1)).toEqual([""]);
    },
    TEST_MS,
  );

  it(
    "nor does it wait for a promotion of the stable version where people promote by hand",
    async () => {
      const { stable, spoil } = await broken(
        "by-hand",
        { ...ENDLESS_ANALYSIS, autoPromotionEnabled: false },
        promoteByHand,
      );
      await spoil();

      const { ended, seen } = await watched("by-hand", stable);

      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(await rollouts.traffic("by-hand")).toEqual({ hash: stable, ready: 2 });
      expect(seen.map(({ stableReady }) => stableReady).filter((ready) => ready < 2)).toEqual([]);
      expect(await rollouts.acts("by-hand", 2)).toEqual(["", "status"]);
    },
    TEST_MS,
  );

  it.each([
    ["while the old pods are still up", "warm", {}],
    ["when the old pods are gone already", "cold", { scaleDownDelaySeconds: 1 }],
  ])(
    "after the promotion, %s",
    async (_, name, strategy) => {
      const { stable: old, spoil } = await broken(name, strategy);
      const { status } = await rollouts.healthy(name);
      expect(status?.stableRS).not.toBe(old);
      if (name === "cold") {
        await until(
          "v1 is gone",
          () => rollouts.pods(name, old),
          (pods) => pods.length === 0,
        );
      }
      await spoil();

      await ask(name);

      expect(readyOf(await shop.ended(name, 60_000)).reason).toBe("RolledBack");
      expect(await rollouts.traffic(name)).toEqual({ hash: old, ready: 2 });
    },
    TEST_MS,
  );
});

/** A Job whose pod never ends here. */
const ENDLESS_METRIC = {
  name: "endless",
  provider: {
    job: {
      spec: {
        backoffLimit: 0,
        template: { spec: { restartPolicy: "Never", containers: [{ name: "app", image: "web:v1" }] } },
      },
    },
  },
};
