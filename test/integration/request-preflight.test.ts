import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { defineResource, type KubeObject } from "../../src/kube/objects.ts";
import { serviceAccountType, type PodTemplateSpec } from "../../src/kube/well-known.ts";
import { installOwnerCrds } from "../support/owner-crds.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { container, imageOf, openShop, podSpec, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

interface Foreign extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
}

const ROLLOUTS = defineResource<Foreign>({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Rollout",
  plural: "rollouts",
  namespaced: true,
});
const CANARIES = defineResource<Foreign>({
  apiVersion: "flagger.app/v1beta1",
  kind: "Canary",
  plural: "canaries",
  namespaced: true,
});

describe("before anything is changed", () => {
  const signal = new AbortController().signal;
  let world: World;
  let shop: Shop;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
    shop = await openShop(world, "preflight");
    // The shipped role leaves Secrets out; here the executor may look whether they exist.
    await grant(shop.namespace, '- {apiGroups: [""], resources: [secrets], verbs: [get]}');
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  function grant(namespace: string, rules: string): Promise<string> {
    return world.kubectl(
      ["apply", "-n", namespace, "-f", "-"],
      `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: more}
rules:
${rules}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: more}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: more}
subjects: [{kind: ServiceAccount, name: rollback-executor}]
`,
    );
  }

  /** A Deployment whose first revision is as given, and whose second is plain and live. */
  async function history(name: string, first: (template: PodTemplateSpec) => PodTemplateSpec, from = shop) {
    await from.open(name, { template: first });
    const plain: PodTemplateSpec = {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: "app", image: "web:v2" }] },
    };
    return from.release(() => plain, name);
  }

  async function expectUntouched(name: string, generation: number | undefined, from = shop): Promise<void> {
    expect((await from.live(name)).metadata.generation).toBe(generation);
    expect(await from.acts(name)).toEqual([]);
  }

  describe("what the old template needs and is gone", () => {
    const volume = (source: object) => podSpec({ volumes: [{ name: "data", ...source }] });
    const env = (valueFrom: object) => container({ env: [{ name: "A", valueFrom }] });
    const gone = { name: "gone" };
    const key = { name: "gone", key: "k" };

    it.each([
      ["cm-env", "ConfigMap gone (container app)", env({ configMapKeyRef: key })],
      ["cm-envfrom", "ConfigMap gone (container app)", container({ envFrom: [{ configMapRef: gone }] })],
      ["cm-volume", "ConfigMap gone (volume data)", volume({ configMap: gone })],
      ["cm-proj", "ConfigMap gone (volume data)", volume({ projected: { sources: [{ configMap: gone }] } })],
      [
        "cm-init",
        "ConfigMap gone (container init)",
        podSpec({
          initContainers: [{ name: "init", image: "web:v1", envFrom: [{ configMapRef: gone }] }],
        }),
      ],
      ["sec-env", "Secret gone (container app)", env({ secretKeyRef: key })],
      ["sec-envfrom", "Secret gone (container app)", container({ envFrom: [{ secretRef: gone }] })],
      ["sec-volume", "Secret gone (volume data)", volume({ secret: { secretName: "gone" } })],
      ["sec-proj", "Secret gone (volume data)", volume({ projected: { sources: [{ secret: gone }] } })],
      ["sec-pull", "Secret gone (imagePullSecrets)", podSpec({ imagePullSecrets: [gone] })],
      [
        "pvc",
        "PersistentVolumeClaim gone (volume data)",
        volume({ persistentVolumeClaim: { claimName: "gone" } }),
      ],
    ])(
      "%s: refused, naming %s",
      async (name, message, template) => {
        const { metadata } = await history(name, template);

        await shop.ask(name, { revision: 1 }, {}, name);

        const ended = await shop.ended(name);
        expect(ended.status?.phase).toBe("Failed");
        expect(readyOf(ended)).toEqual({
          reason: "DependencyMissing",
          message: expect.stringContaining(`revision 1 needs ${message}, gone from namespace preflight`),
        });
        await expectUntouched(name, metadata.generation);
      },
      TEST_MS,
    );

    it(
      "a ServiceAccount that was deleted since: refused",
      async () => {
        const account = { namespace: shop.namespace, name: "old-account" };
        await world.client.create(serviceAccountType, { metadata: account }, { signal });
        const { metadata } = await history("account", podSpec({ serviceAccountName: account.name }));
        await world.client.delete(serviceAccountType, account, { signal });

        await shop.ask("account", { revision: 1 }, {}, "account");

        expect(readyOf(await shop.ended("account"))).toEqual({
          reason: "DependencyMissing",
          message: expect.stringContaining("ServiceAccount old-account (serviceAccountName)"),
        });
        await expectUntouched("account", metadata.generation);
      },
      TEST_MS,
    );

    it(
      "what is marked optional, or is there: no objection",
      async () => {
        await world.kubectl(["create", "configmap", "there", "-n", shop.namespace]);
        const optional = { name: "gone", optional: true };
        await history("optional", (template) =>
          podSpec({
            volumes: [
              { name: "a", configMap: optional },
              { name: "b", secret: { secretName: "gone", optional: true } },
              { name: "c", projected: { sources: [{ secret: optional }, { configMap: optional }] } },
              { name: "d", configMap: { name: "there" } },
              { name: "e", emptyDir: {} },
            ],
          })(
            container({
              envFrom: [{ configMapRef: optional }, { secretRef: optional }],
              env: [
                { name: "A", valueFrom: { secretKeyRef: { ...optional, key: "k" } } },
                { name: "B", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
              ],
            })(template),
          ),
        );

        await shop.ask("optional", { revision: 1 }, { dryRun: true }, "optional");

        const ended = await shop.ended("optional");
        expect(readyOf(ended).reason).toBe("DryRun");
        expect(ended.status?.plan?.steps[0]?.warnings).toEqual([]);
      },
      TEST_MS,
    );

    it(
      "classes of the cluster are unchecked without a right that only an admin can give, and missed with it",
      async () => {
        const classless = await openShop(world, "classless");
        const value = {
          apiVersion: "scheduling.k8s.io/v1",
          kind: "PriorityClass",
          metadata: { name: "rare" },
          value: 5,
        };
        await world.kubectl(["apply", "-f", "-"], JSON.stringify(value));
        await history("web", podSpec({ priorityClassName: "rare" }), classless);
        await world.kubectl(["delete", "priorityclass", "rare"]);
        await classless.ask("blind", { revision: 1 }, { dryRun: true });
        expect((await classless.ended("blind")).status?.plan?.steps[0]?.warnings).toEqual([
          "unchecked: no right to read PriorityClass rare, which revision 1 needs",
        ]);
        await world.kubectl([
          "create",
          "clusterrolebinding",
          "classless",
          "--clusterrole=rollback-executor-cluster",
          "--serviceaccount=classless:rollback-executor",
        ]);
        await classless.ask("seeing", { revision: 1 });
        const ended = await classless.ended("seeing");
        expect(ended.status?.phase).toBe("Failed");
        expect(readyOf(ended)).toMatchObject({
          reason: "DependencyMissing",
          message: expect.stringContaining(
            "needs PriorityClass rare (priorityClassName), gone from the cluster: restore it",
          ),
        });
      },
      TEST_MS,
    );

    it(
      "what the executor may not read is unchecked, never fine, and does not stop it",
      async () => {
        const blind = await openShop(world, "blind");
        await history("web", volume({ secret: { secretName: "gone" } }), blind);

        await blind.ask("undo", { revision: 1 });

        const ended = await blind.ended("undo");
        expect(ended.status?.phase).toBe("Succeeded");
        expect(ended.status?.plan?.steps[0]?.warnings).toEqual([
          "unchecked: no right to read Secret gone, which revision 1 needs",
        ]);
        expect(imageOf(await blind.live())).toBe("web:v1");
      },
      TEST_MS,
    );
  });

  it(
    "what admission would refuse is refused in the plan",
    async () => {
      const { metadata } = await history("banned", (template) => ({
        ...template,
        metadata: { labels: { ...template.metadata?.labels, banned: "yes" } },
      }));
      await world.kubectl(["apply", "-f", "-"], BANNED_LABEL);
      const patch = '{"spec":{"template":{"metadata":{"labels":{"banned":"yes"}}}}}';
      const args = ["patch", "deployment", "banned", "-n", shop.namespace, "--dry-run=server", "-p", patch];
      await until(
        "the policy is in force",
        () => world.kubectl.attempt(args),
        ({ code }) => code !== 0,
      );

      await shop.ask("banned", { revision: 1 }, {}, "banned");

      const ended = await shop.ended("banned");
      expect(ended.status?.phase).toBe("Failed");
      expect(readyOf(ended)).toEqual({
        reason: "DryRunRefused",
        message: expect.stringMatching(/would refuse the change: .*old templates carry a banned label/),
      });
      await expectUntouched("banned", metadata.generation);
    },
    TEST_MS,
  );

  describe("a target that another tool owns", () => {
    let canary: Foreign;

    beforeAll(async () => {
      await installOwnerCrds(world.kubectl);
      const { namespace } = shop;
      const ref = (name: string) => ({ apiVersion: "apps/v1", kind: "Deployment", name });
      await world.client.create(
        ROLLOUTS,
        { metadata: { namespace, name: "by-rollout" }, spec: { workloadRef: ref("rollout-target") } },
        { signal },
      );
      canary = await world.client.create(
        CANARIES,
        { metadata: { namespace, name: "by-flagger" }, spec: { targetRef: ref("canary-target") } },
        { signal },
      );
    }, START_MS);

    const tracked = (id: string) => ({ annotations: { "argocd.argoproj.io/tracking-id": id } });
    const flux = (prefix: string) => ({
      labels: {
        [`${prefix}.toolkit.fluxcd.io/name`]: "apps",
        [`${prefix}.toolkit.fluxcd.io/namespace`]: "flux-system",
      },
    });

    it.each([
      ["argo", tracked("shop:apps/Deployment:preflight/argo"), "Argo CD Application shop"],
      ["flux-kustomize", flux("kustomize"), "Flux Kustomization flux-system/apps"],
      ["flux-helm", flux("helm"), "Flux HelmRelease flux-system/apps"],
      ["rollout-target", {}, "Argo Rollouts Rollout preflight/by-rollout"],
      ["canary-target", {}, "Flagger Canary preflight/by-flagger"],
    ])(
      "%s: refused",
      async (name, metadata, owner) => {
        await shop.open(name, { metadata });
        const { metadata: before } = await shop.release("web:v2", name);

        await shop.ask(name, { revision: 1 }, {}, name);

        const ended = await shop.ended(name);
        expect(ended.status?.phase).toBe("Failed");
        expect(readyOf(ended)).toEqual({
          reason: "TargetOwned",
          message: expect.stringContaining(`Deployment/${name} is managed by ${owner}`),
        });
        await expectUntouched(name, before.generation);
      },
      TEST_MS,
    );

    it(
      "one that Flagger made: refused",
      async () => {
        await shop.open("made");
        await shop.release("web:v2", "made");
        const { apiVersion, kind, metadata } = canary;
        const owner = { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true };
        const { metadata: before } = await shop.edit(
          [{ op: "add", path: "/metadata/ownerReferences", value: [owner] }],
          "made",
        );

        await shop.ask("made", { revision: 1 }, {}, "made");

        expect(readyOf(await shop.ended("made"))).toEqual({
          reason: "TargetOwned",
          message: expect.stringContaining("owned by Flagger Canary by-flagger"),
        });
        await expectUntouched("made", before.generation);
      },
      TEST_MS,
    );

    it(
      "a copy that carries the tracking id of its original is nobody's",
      async () => {
        await shop.open("copy", { metadata: tracked("shop:apps/Deployment:preflight/original") });
        await shop.release("web:v2", "copy");

        await shop.ask("copy", { revision: 1 }, { dryRun: true }, "copy");

        expect(readyOf(await shop.ended("copy")).reason).toBe("DryRun");
      },
      TEST_MS,
    );
  });

  it("wrote only statuses that waiters can read", async () => {
    expect(statusComplaints(await storedVersions(world.controlPlane.auditLogPath))).toEqual([]);
  });
});

const BANNED_LABEL = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: banned-label}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments]}
  validations:
    - expression: '!("banned" in object.spec.template.metadata.labels)'
      message: old templates carry a banned label
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: banned-label}
spec: {policyName: banned-label, validationActions: [Deny]}
`;
