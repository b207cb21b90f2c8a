import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import type { RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { configMapType, serviceAccountType } from "../../src/kube/well-known.ts";
import { installOwnerCrds } from "../support/owner-crds.ts";
import {
  container,
  imageOf,
  openShop,
  podSpec,
  readyOf,
  roleBindingType,
  roleType,
  type Shop,
} from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;
const FOLDER = "deploy/manifests/rights";
const { signal } = new AbortController();

interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** One rule with one group, resource and verb. */
interface Grant {
  readonly apiGroup: string;
  readonly resource: string;
  readonly verb: string;
}

/** What the holder of a Role does with it. `prepare` needs no right of the executor. */
interface Scenario {
  prepare(shop: Shop, world: World): Promise<void>;
  ask(shop: Shop, request: string, dryRun: boolean): Promise<void>;
  /** Throws unless the action did what it is for. */
  prove(shop: Shop, ended: RollbackRequest): Promise<void>;
}

/** One for each file executor-ACTION.yaml; a new Role needs a line here, and a section in docs/rights.md. */
const SCENARIOS: Readonly<Record<string, Scenario>> = {
  workload: {
    async prepare(shop, world) {
      const { namespace } = shop;
      await world.client.create(
        configMapType,
        { metadata: { namespace, name: "settings" }, data: { a: "b" } },
        { signal },
      );
      await world.client.create(serviceAccountType, { metadata: { namespace, name: "web" } }, { signal });
      await world.kubectl(["apply", "-n", namespace, "-f", "-"], CLAIM);
      // A first release that needs one of everything that the preflight looks for.
      await shop.open("web", {
        template: (template) =>
          podSpec({
            serviceAccountName: "web",
            volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
          })(container({ envFrom: [{ configMapRef: { name: "settings" } }] })(template)),
      });
      await shop.release("web:v2");
    },
    async ask(shop, request, dryRun) {
      await shop.ask(request, { strategy: "LastKnownGood" }, { dryRun });
    },
    async prove(shop, ended) {
      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(imageOf(await shop.live())).toBe("web:v1");
    },
  },
};

const ACTIONS = readdirSync(FOLDER)
  .map((file) => /^executor-(.+)\.yaml$/.exec(file)?.[1])
  .filter((action) => action !== undefined);

describe("the Role of one action", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await installOwnerCrds(world.kubectl);
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  it("is installed, tried by a test and explained, for every action", () => {
    const { resources } = parse(readFileSync(join(FOLDER, "kustomization.yaml"), "utf8")) as {
      readonly resources: readonly string[];
    };
    expect(resources).toEqual(expect.arrayContaining(ACTIONS.map((action) => `executor-${action}.yaml`)));
    expect(Object.keys(SCENARIOS).toSorted()).toEqual(ACTIONS.toSorted());
    const page = readFileSync("docs/rights.md", "utf8");
    for (const action of ACTIONS) {
      const section = page.split(/^## /m).find((text) => text.startsWith(`\`${action}\``)) ?? "";
      for (const { apiGroup, resource, verb } of grantsOf(rulesOf(action))) {
        const name = apiGroup === "" ? resource : `${resource}.${apiGroup}`;
        const line = section.split("\n").find((text) => text.includes(`\`${name}\``)) ?? "";
        expect([action, name, line]).toEqual([action, name, expect.stringContaining(verb)]);
      }
    }
  });

  describe.each(ACTIONS)("%s", (action) => {
    const scenario = SCENARIOS[action]!;

    it(
      "is all that the action needs",
      async () => {
        const shop = await openShop(world, `only-${action}`, { executor: false });
        await grant(world, shop.namespace, rulesOf(action));
        await scenario.prepare(shop, world);

        await scenario.ask(shop, "act", false);

        const ended = await shop.ended("act");
        await scenario.prove(shop, ended);
        expect(ended.status?.plan?.steps[0]?.warnings ?? []).not.toContainEqual(
          expect.stringContaining("unchecked"),
        );
      },
      TEST_MS,
    );

    it(
      "holds nothing that is not used: without any one right the plan is refused, or says what stayed unchecked",
      async () => {
        const shop = await openShop(world, `less-${action}`, { executor: false });
        const grants = grantsOf(rulesOf(action));
        await grant(world, shop.namespace, rulesOf(action));
        await scenario.prepare(shop, world);
        for (const [index, without] of grants.entries()) {
          await narrow(world, shop.namespace, without, grants);
          const request = `without-${index}`;
          await scenario.ask(shop, request, true);
          const ended = await shop.ended(request);
          expect([without, complaints(ended)]).toEqual([
            without,
            expect.arrayContaining([expect.stringMatching(patternOf(without))]),
          ]);
        }
      },
      TEST_MS * 2,
    );
  });

  it(
    "may be narrowed to one Deployment by its name",
    async () => {
      const shop = await openShop(world, "by-name", { executor: false });
      const rules = rulesOf("workload").map((rule) =>
        rule.resources.includes("deployments") ? { ...rule, resourceNames: ["web"] } : rule,
      );
      await grant(world, shop.namespace, rules);
      for (const name of ["web", "api"]) {
        await shop.open(name);
        await shop.release("web:v2", name);
        await shop.ask(`undo-${name}`, { strategy: "Previous" }, {}, name);
      }

      expect(readyOf(await shop.ended("undo-web")).reason).toBe("RolledBack");
      expect(readyOf(await shop.ended("undo-api"))).toEqual({
        reason: "AccessDenied",
        message: expect.stringContaining("get deployments.apps api, patch deployments.apps api"),
      });
      expect(imageOf(await shop.live("api"))).toBe("web:v2");
    },
    TEST_MS,
  );
});

function rulesOf(action: string): readonly PolicyRule[] {
  const role = parse(readFileSync(join(FOLDER, `executor-${action}.yaml`), "utf8")) as {
    readonly metadata: { readonly name: string };
    readonly rules: readonly PolicyRule[];
  };
  expect(role.metadata.name).toBe(`rollback-executor-${action}`);
  return role.rules;
}

function grantsOf(rules: readonly PolicyRule[]): readonly Grant[] {
  return rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((apiGroup) =>
      resources.flatMap((resource) => verbs.map((verb) => ({ apiGroup, resource, verb }))),
    ),
  );
}

/** A ServiceAccount rollback-executor with these rules and no others. */
async function grant(world: World, namespace: string, rules: readonly PolicyRule[]): Promise<void> {
  const metadata = { namespace, name: "rollback-executor" };
  await world.client.create(serviceAccountType, { metadata }, { signal });
  await world.client.create(roleType, { metadata, rules }, { signal });
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name };
  const subjects = [{ kind: "ServiceAccount", name: metadata.name, namespace }];
  await world.client.create(roleBindingType, { metadata, roleRef, subjects }, { signal });
}

/** All grants but one, from the moment on when the API server's authorizer knows it. */
async function narrow(
  world: World,
  namespace: string,
  without: Grant,
  grants: readonly Grant[],
): Promise<void> {
  const rules = grants
    .filter((each) => each !== without)
    .map(({ apiGroup, resource, verb }) => ({ apiGroups: [apiGroup], resources: [resource], verbs: [verb] }));
  const change = { op: "replace", path: "/rules", value: rules } as const;
  const key = { namespace, name: "rollback-executor" };
  await world.client.patch(roleType, key, { kind: "json", operations: [change] }, { signal });
  const executor = world.client.as(key);
  const may = async ({ apiGroup: group, resource, verb }: Grant) =>
    (await executor.canI({ namespace, group, resource, verb }, { signal })).allowed;
  await until(
    `the executor may do all but ${JSON.stringify(without)}`,
    async () => Promise.all(grants.map(may)),
    (answers) => answers.every((allowed, index) => allowed === (grants[index] !== without)),
  );
}

/** What the request says of missing rights: its refusal, or the warnings of its plan. */
function complaints(request: RollbackRequest): readonly string[] {
  const { reason, message } = readyOf(request);
  const warnings = request.status?.plan?.steps.flatMap((step) => step.warnings ?? []) ?? [];
  return reason === "AccessDenied" ? [message] : warnings;
}

/** A refusal names verb and resource, a warning the resource or its kind. */
function patternOf({ resource, verb }: Grant): RegExp {
  const singular = resource.replace(/s$/, "");
  return new RegExp(`may not .*\\b${verb} ${resource}|unchecked: no right to (read|list) ${singular}`, "i");
}

const CLAIM = JSON.stringify({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data" },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } },
});
