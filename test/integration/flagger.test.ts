import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { canaryType, type Canary } from "../../src/kube/flagger-types.ts";
import type { RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { installFlaggerCrds, startFlagger, type Flagger } from "../support/flagger.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { imageOf, openShop, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 240_000;
const TEST_MS = 240_000;
/** Flagger looks every 10 s at most; an analysis takes several looks. */
const FLAGGER_MS = 120_000;
const NAMESPACE = "flagged";
const { signal } = new AbortController();

/** The real Flagger, with pods whose readiness is played and Services for its traffic (provider kubernetes). */
describe("a Deployment that Flagger promotes", () => {
  let world: World;
  let flagger: Flagger | undefined;
  let shop: Shop;

  const canary = (name: string) => world.client.get(canaryType, { namespace: NAMESPACE, name }, { signal });
  const reaches = (name: string, ...phases: readonly string[]) =>
    until(
      `Canary ${name} is ${phases.join(" or ")}`,
      () => canary(name),
      ({ status }) => phases.includes(status?.phase ?? ""),
      FLAGGER_MS,
    );
  const servedBy = async (name: string) => imageOf(await shop.live(`${name}-primary`));

  async function open(name: string, spec: Partial<Canary["spec"]>): Promise<void> {
    await shop.open(name);
    const targetRef = { apiVersion: "apps/v1", kind: "Deployment", name };
    const analysis = { interval: "10s", threshold: 3, iterations: 2 };
    await world.client.create(
      canaryType,
      {
        metadata: { namespace: NAMESPACE, name },
        spec: { provider: "kubernetes", targetRef, service: { port: 80 } as object, analysis, ...spec },
      },
      { signal },
    );
    await reaches(name, "Initialized");
  }

  /** v2 serves. */
  async function promoted(name: string): Promise<void> {
    await shop.release("web:v2", name);
    await until(
      "v2 serves",
      () => servedBy(name),
      (image) => image === "web:v2",
      FLAGGER_MS,
    );
    await reaches(name, "Succeeded");
  }

  const ask = (name: string, target = name) =>
    shop.ask(name, undefined, {
      steps: [
        {
          name: "app",
          timeout: "10m",
          workload: { kind: "Deployment", name: target, to: { strategy: "Previous" } },
        },
      ],
      verification: { checks: [] },
    });

  const planOf = ({ status }: RollbackRequest) => status?.plan?.steps[0];

  beforeAll(async () => {
    world = await startWorld();
    await installFlaggerCrds(world.kubectl);
    shop = await openShop(world, NAMESPACE);
    flagger = await startFlagger(world, NAMESPACE);
    await world.operator();
    await Promise.all([
      open("skips", { skipAnalysis: true }),
      open("analyses", {}),
      open("halts", { skipAnalysis: true }),
    ]);
  }, START_MS);

  afterAll(async () => {
    await flagger?.stop();
    await world?.stop();
  }, START_MS);

  it(
    "promoted, with skipAnalysis: done when the copy that serves has the old version again",
    async () => {
      await promoted("skips");

      await ask("skips");
      const ended = await shop.ended("skips", FLAGGER_MS);

      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(await servedBy("skips")).toBe("web:v1");
      expect((await canary("skips")).status?.phase).toBe("Succeeded");
      expect(planOf(ended)).toMatchObject({
        promotedBy: "Canary/skips",
        warnings: [expect.stringContaining("skips its analysis")],
      });
      // One write, to the target; all else is Flagger's.
      expect(await shop.acts("skips")).toHaveLength(1);
      expect(await shop.acts("skips-primary")).toEqual([]);
    },
    TEST_MS,
  );

  it(
    "in the middle of an analysis: the bad version never serves, and the analysis ends with the old one",
    async () => {
      await shop.release("web:v2", "analyses");
      await reaches("analyses", "Progressing");

      await ask("analyses");
      const ended = await shop.ended("analyses", FLAGGER_MS);

      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(planOf(ended)?.warnings.join()).toContain("that is under way goes on with the restored version");
      expect(imageOf(await shop.live("analyses"))).toBe("web:v1");
      expect((await canary("analyses")).status?.phase).toBe("Succeeded");
      const served = (await shop.replicaSets("analyses-primary")).map((set) => imageOf(set));
      expect(new Set(served)).toEqual(new Set(["web:v1"]));
    },
    TEST_MS,
  );

  it(
    "is refused while Flagger is suspended, and so is its copy at any time; nothing is changed",
    async () => {
      await promoted("halts");
      const suspend = { kind: "merge", value: { spec: { suspend: true } } } as const;
      await world.client.patch(canaryType, { namespace: NAMESPACE, name: "halts" }, suspend, { signal });

      await ask("halts");
      expect(readyOf(await shop.ended("halts"))).toMatchObject({
        reason: "Paused",
        message: expect.stringContaining("Flagger Canary halts is suspended"),
      });
      await ask("copy", "halts-primary");
      expect(readyOf(await shop.ended("copy")).reason).toBe("TargetOwned");

      expect(await shop.acts("halts")).toEqual([]);
      expect(await shop.acts("halts-primary")).toEqual([]);
    },
    TEST_MS,
  );

  it("wrote only statuses that waiters can read", async () => {
    expect(statusComplaints(await storedVersions(world.controlPlane.auditLogPath))).toEqual([]);
  });
});
