import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { defineResource, type KubeObject } from "../../src/kube/objects.ts";
import type { RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { serviceAccountType } from "../../src/kube/well-known.ts";
import { startArgoRollouts, type ArgoRollouts } from "../support/argo-rollouts.ts";
import { MACHINE } from "../support/blue-green.ts";
import { SCENARIOS } from "../support/executor-scenarios.ts";
import { installOwnerCrds } from "../support/owner-crds.ts";
import { addressOfThisMachine, startPodServer, type PodServer } from "../support/pod-server.ts";
import { startMachine } from "../support/machine.ts";
import { installRouteCrds } from "../support/route-crds.ts";
import { imageOf, openShop, readyOf, roleBindingType, roleType, type Shop } from "../support/shop.ts";
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

const ACTIONS = readdirSync(FOLDER)
  .map((file) => /^executor-(.+)\.yaml$/.exec(file)?.[1])
  .filter((action) => action !== undefined);

const address = addressOfThisMachine();
if (address === undefined) {
  console.log("the Role of checks is not tried: this machine has no address but loopback");
}

describe("the Role of one action", () => {
  let world: World;
  let pods: PodServer | undefined;
  let machine: Awaited<ReturnType<typeof startMachine>> | undefined;
  let argo: ArgoRollouts | undefined;

  beforeAll(async () => {
    world = await startWorld(address === undefined ? {} : { podIP: address });
    pods = address === undefined ? undefined : await startPodServer(address);
    pods?.answer("/health", (_, response) => response.end("OK\n"));
    await Promise.all([installOwnerCrds(world.kubectl), installRouteCrds(world.kubectl)]);
    machine = await startMachine(world.client, MACHINE);
    argo = await startArgoRollouts(world);
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await argo?.stop();
    await pods?.stop();
    await machine?.stop();
    await world?.stop();
  }, START_MS);

  async function openStage(namespace: string) {
    return { world, shop: await openShop(world, namespace, { executor: false }), port: pods?.port };
  }

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

  for (const action of ACTIONS) {
    const scenario = SCENARIOS[action];
    const run = scenario?.asksPods === true && address === undefined ? describe.skip : describe;

    run(action, () => {
      it(
        "is all that the action needs",
        async () => {
          const stage = await openStage(`only-${action}`);
          await grantAll(world, stage.shop.namespace, action);
          await scenario?.prepare(stage);

          await ask(stage.shop, "act", action, false);

          const ended = await stage.shop.ended("act");
          await scenario?.prove(stage, ended);
          const warnings = ended.status?.plan?.steps.flatMap((step) => step.warnings);
          expect(warnings).not.toContainEqual(expect.stringContaining("unchecked"));
        },
        TEST_MS,
      );

      it(
        "holds nothing that is not used: without any one right the plan is refused, or says what stayed unchecked",
        async () => {
          const stage = await openStage(`less-${action}`);
          const { shop } = stage;
          const grants = grantsOf(rulesOf(action));
          await grantAll(world, shop.namespace, action);
          await scenario?.prepare(stage);
          for (const [index, without] of grants.entries()) {
            await narrow(world, shop.namespace, action, without, grants);
            const request = `without-${index}`;
            await ask(shop, request, action, true);
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
  }

  it(
    "may be narrowed to one Deployment by its name",
    async () => {
      const shop = await openShop(world, "by-name", { executor: false });
      const rules = rulesOf("workload").map((rule) =>
        rule.resources.includes("deployments") ? { ...rule, resourceNames: ["web"] } : rule,
      );
      await addAccount(world, shop.namespace);
      await grant(world, shop.namespace, "workload", rules);
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

async function ask(shop: Shop, request: string, action: string, dryRun: boolean): Promise<void> {
  await shop.ask(request, undefined, { ...SCENARIOS[action]?.spec, dryRun });
}

/** Kinds that belong to no namespace are granted in the whole cluster. */
const CLUSTER_WIDE = new Set(["cluster"]);

const clusterRoleType = defineResource<KubeObject & { readonly rules: readonly PolicyRule[] }>({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  plural: "clusterroles",
  namespaced: false,
});

const clusterRoleBindingType = defineResource<
  KubeObject & { readonly roleRef: object; readonly subjects: readonly object[] }
>({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRoleBinding",
  plural: "clusterrolebindings",
  namespaced: false,
});

/** The Role of the action, and of the Roles that it is used beside all that it does not give itself. */
async function grantAll(world: World, namespace: string, action: string): Promise<void> {
  await addAccount(world, namespace);
  await grant(world, namespace, action, rulesOf(action));
  const own = new Set(grantsOf(rulesOf(action)).map((each) => JSON.stringify(each)));
  for (const other of SCENARIOS[action]?.beside ?? []) {
    const rest = grantsOf(rulesOf(other)).filter((each) => !own.has(JSON.stringify(each)));
    await grant(world, namespace, other, rest.map(ruleOf));
  }
}

async function addAccount(world: World, namespace: string): Promise<void> {
  await world.client.create(
    serviceAccountType,
    { metadata: { namespace, name: "rollback-executor" } },
    { signal },
  );
}

/** Gives ServiceAccount rollback-executor these rules. */
async function grant(
  world: World,
  namespace: string,
  action: string,
  rules: readonly PolicyRule[],
): Promise<void> {
  const { client } = world;
  const subjects = [{ kind: "ServiceAccount", name: "rollback-executor", namespace }];
  const roleRef = (kind: string, name: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name });
  if (CLUSTER_WIDE.has(action)) {
    const metadata = { name: namespace };
    await client.create(clusterRoleType, { metadata, rules }, { signal });
    const binding = { metadata, roleRef: roleRef("ClusterRole", metadata.name), subjects };
    await client.create(clusterRoleBindingType, binding, { signal });
    return;
  }
  const metadata = { namespace, name: action };
  await client.create(roleType, { metadata, rules }, { signal });
  await client.create(roleBindingType, { metadata, roleRef: roleRef("Role", action), subjects }, { signal });
}

/** All grants but one, from the moment on when the API server's authorizer knows it. */
async function narrow(
  world: World,
  namespace: string,
  action: string,
  without: Grant,
  grants: readonly Grant[],
): Promise<void> {
  const rules = grants.filter((each) => each !== without).map(ruleOf);
  const change = { op: "replace", path: "/rules", value: rules } as const;
  const isClusterWide = CLUSTER_WIDE.has(action);
  const key = isClusterWide ? { namespace: "", name: namespace } : { namespace, name: action };
  const patch = { kind: "json", operations: [change] } as const;
  await world.client.patch<KubeObject>(isClusterWide ? clusterRoleType : roleType, key, patch, { signal });
  const executor = world.client.as({ namespace, name: "rollback-executor" });
  const may = async ({ apiGroup: group, resource: path, verb }: Grant) => {
    const [resource = "", subresource] = path.split("/");
    const what = { namespace, group, resource, verb, ...(subresource === undefined ? {} : { subresource }) };
    return (await executor.canI(what, { signal })).allowed;
  };
  await until(
    `the executor may do all but ${JSON.stringify(without)}`,
    async () => Promise.all(grants.map(may)),
    (answers) => answers.every((allowed, index) => allowed === (grants[index] !== without)),
  );
}

function ruleOf({ apiGroup, resource, verb }: Grant): PolicyRule {
  return { apiGroups: [apiGroup], resources: [resource], verbs: [verb] };
}

/** What the request says of missing rights: its refusal, or the warnings of its plan. */
function complaints(request: RollbackRequest): readonly string[] {
  const { reason, message } = readyOf(request);
  const warnings = request.status?.plan?.steps.flatMap((step) => step.warnings ?? []) ?? [];
  return reason === "AccessDenied" ? [message] : warnings;
}

/** A refusal names verb and resource, a warning the resource or its kind. */
function patternOf({ resource, verb }: Grant): RegExp {
  const singular = resource.replace(/(?<=ss)es$|s$/, "");
  return new RegExp(
    `may not .*\\b${verb} ${resource}\\b|unchecked: no right to (read|list) ${singular}`,
    "i",
  );
}
