import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { API_VERSION } from "../../src/crds/common.ts";
import { imageOf, openShop, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;
const FLUX = "system:serviceaccount:flux-system:kustomize-controller";

/** Flux itself is not run: what its apply loop does to the API is, server-side apply as its field manager, by force. */
describe("a request that is applied as Flux does", () => {
  let world: World;
  let shop: Shop;

  let live: string | undefined;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
    await world.kubectl(["apply", "-f", "deploy/manifests/admission.yaml"]);
    shop = await openShop(world, "flux");
    await shop.open();
    await shop.release("web:v2");
    await shop.release("web:v3");
    const sets = await shop.replicaSets();
    live = sets.find(({ spec }) => spec.replicas !== 0)?.metadata.labels?.["pod-template-hash"];
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  function apply(spec: object = {}) {
    const request = {
      apiVersion: API_VERSION,
      kind: "RollbackRequest",
      metadata: {
        name: "undo",
        namespace: "flux",
        labels: {
          "kustomize.toolkit.fluxcd.io/name": "rollback-requests",
          "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        },
      },
      spec: {
        requestedBy: "alice@example.org",
        steps: [{ name: "app", workload: { kind: "Deployment", name: "web", to: { strategy: "Previous" } } }],
        verification: { settle: "0s", soak: "2s", interval: "1s" },
        expect: { podTemplateHash: live },
        ...spec,
      },
    };
    const as = [`--as=${FLUX}`, "--as-group=system:masters"];
    const how = ["--server-side", "--force-conflicts", "--field-manager=kustomize-controller"];
    return world.kubectl.attempt([...as, "apply", ...how, "-f", "-"], JSON.stringify(request));
  }

  it(
    "runs once, is left alone by each further apply, refuses another spec, and never runs twice when it was pruned",
    async () => {
      expect(await apply()).toMatchObject({ code: 0 });
      const ended = await shop.ended("undo");
      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(ended.status?.trigger?.claimedBy).toBe("alice@example.org");

      for (let interval = 0; interval < 3; interval += 1) expect(await apply()).toMatchObject({ code: 0 });
      const edited = await apply({ reason: "another" });
      expect(edited.code).toBe(1);
      expect(edited.stderr).toContain("spec is immutable: create a new RollbackRequest with a new name");
      expect((await shop.request("undo")).metadata.resourceVersion).toBe(ended.metadata.resourceVersion);

      await shop.remove("undo");
      await until(
        "it is gone",
        () => world.kubectl.attempt(["get", "rbr", "undo", "-n", "flux"]),
        ({ stderr }) => stderr.includes("NotFound"),
      );
      expect(await apply()).toMatchObject({ code: 0 });
      expect(readyOf(await shop.ended("undo")).reason).toBe("AlreadyExecuted");
      expect(imageOf(await shop.live())).toBe("web:v2");
      expect(await shop.acts()).toHaveLength(1);
    },
    TEST_MS,
  );
});
