import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { createMap, editMap, getMap, inEnv } from "../support/config-maps.ts";
import { startPolicyLab, type PolicyLab } from "../support/policy-lab.ts";
import { imageOf } from "../support/shop.ts";
import { until } from "../support/world.ts";

const START_MS = 120_000;
const TEST_MS = 240_000;
/** What comes sooner after the start of a release belongs to that release. */
const APART_MS = 60_000;

describe("a breach that a change of a ConfigMap causes", () => {
  let lab: PolicyLab;

  beforeAll(async () => {
    lab = await startPolicyLab({ namespaces: ["config"] });
  }, START_MS);

  afterAll(async () => {
    await lab?.stop();
  }, START_MS);

  it(
    "rolls the ConfigMap back, not the code",
    async () => {
      const service = await lab.service("config", { deployed: false });
      const { namespace, shop } = service;
      const { client } = lab.world;
      const role = ["--clusterrole", "rollback-executor-config-map"];
      const account = ["--serviceaccount", `${namespace}:rollback-executor`];
      await lab.world.kubectl(["create", "rolebinding", "config", "-n", namespace, ...role, ...account]);
      await createMap(client, namespace, "settings", { data: { TIMEOUT: "30s" } });
      await shop.open("web", { template: inEnv("settings") });
      const code = { name: "application", steps: [{ name: "app", workload: {} }] };
      const config = { name: "config", steps: [{ name: "settings", configMap: { name: "settings" } }] };
      await service.watch({ plans: [code, config] });
      await service.baked();
      // A second version that is good as well: going back to the first one would be the mistake.
      await service.released("web:v2");
      await service.baked();
      const released = await until(
        "the release is long enough ago",
        () => service.policy(),
        ({ status }) => Date.now() - Date.parse(status?.release?.startedAt ?? "") > APART_MS + 5_000,
        APART_MS * 2,
      );
      expect(released.status?.release?.revision).toBe(2);
      const good = await getMap(client, namespace, "settings");

      await editMap(client, namespace, "settings", { TIMEOUT: "1ms" });
      await until(
        "the change was seen",
        () => lab.world.kubectl(["get", "rbl", "-n", namespace, "-o", "json"]),
        (ledgers) => (ledgers.match(/"digest"/g) ?? []).length >= 2,
      );
      service.traffic(50, 25);

      const [request] = await service.requested();
      expect(request?.spec.plan).toBe("config");
      expect(request?.status?.trigger?.sentence ?? request?.spec.reason).toMatch(
        /after ConfigMap\/settings changed/,
      );
      service.traffic(50, 0);
      const ended = await shop.ended(request?.metadata.name ?? "", 60_000);
      expect(ended.status).toMatchObject({ phase: "Succeeded", target: "ConfigMap/settings" });
      expect((await getMap(client, namespace, "settings")).data).toEqual(good.data);
      expect(imageOf(await shop.live())).toBe("web:v2");
    },
    TEST_MS,
  );
});
