import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { KubeClient } from "../../src/kube/client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import {
  isAlreadyExists,
  isApiNotServed,
  isConflict,
  isForbidden,
  isInvalid,
  isNotFound,
  isUnauthorized,
} from "../../src/kube/errors.ts";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { defineResource, type KubeObject } from "../../src/kube/objects.ts";
import { applyPatch, jsonPatch, mergePatch } from "../../src/kube/patch.ts";
import { configMapType, deploymentType, secretType, serviceAccountType } from "../../src/kube/well-known.ts";
import { failureOf, startKubeLab, type KubeLab } from "../support/kube-lab.ts";

interface Rules extends KubeObject {
  readonly rules: readonly object[];
}
interface Binding extends KubeObject {
  readonly roleRef: object;
  readonly subjects: readonly object[];
}
const roleType = defineResource<Rules>({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "Role",
  plural: "roles",
  namespaced: true,
});
const roleBindingType = defineResource<Binding>({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  plural: "rolebindings",
  namespaced: true,
});
const clusterRoleType = defineResource<Rules>({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  plural: "clusterroles",
  namespaced: false,
});
const clusterRoleBindingType = defineResource<Binding>({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRoleBinding",
  plural: "clusterrolebindings",
  namespaced: false,
});
const group = "rbac.authorization.k8s.io";

let lab: KubeLab;
let client: KubeClient;
const clock = systemClock();
const call = { signal: new AbortController().signal };

beforeAll(async () => {
  lab = await startKubeLab();
  client = lab.client;
}, 120_000);

afterAll(() => lab?.stop(), 60_000);

describe("client against a real API server", () => {
  it("tells refusals apart", async () => {
    const namespace = await lab.namespace("refusals");
    const key = { namespace, name: "a" };
    expect(isNotFound(await failureOf(client.get(configMapType, key, call)))).toBe(true);
    expect(await client.tryGet(configMapType, key, call)).toBeUndefined();
    for (const apiVersion of ["example.com/v1", "apps/v9", "apps/v1"]) {
      const type = defineResource({ apiVersion, kind: "Thing", plural: "things", namespaced: true });
      expect([apiVersion, isApiNotServed(await failureOf(client.tryGet(type, key, call)))]).toEqual([
        apiVersion,
        true,
      ]);
    }
    const made = await client.create(configMapType, { metadata: key, data: { a: "1" } }, call);
    expect(isAlreadyExists(await failureOf(client.create(configMapType, { metadata: key }, call)))).toBe(
      true,
    );
    await client.replace(configMapType, { ...made, data: { a: "2" } }, call);
    expect(
      isConflict(await failureOf(client.replace(configMapType, { ...made, data: { a: "3" } }, call))),
    ).toBe(true);
    const wrongUid = { ...call, preconditions: { uid: "00000000-0000-0000-0000-000000000000" } };
    expect(isConflict(await failureOf(client.delete(configMapType, key, wrongUid)))).toBe(true);
    await client.delete(configMapType, key, { ...call, preconditions: { uid: made.metadata.uid } });
    expect(isNotFound(await failureOf(client.delete(configMapType, key, call)))).toBe(true);

    const stranger = lab.open("no-such-token");
    const refused = await failureOf(
      createKubeClient({ transport: stranger, clock }).get(configMapType, key, call),
    );
    expect(isUnauthorized(refused)).toBe(true);
  });

  it("answers 422 to a failed test and to an invalid object, and changes nothing", async () => {
    const namespace = await lab.namespace("patches");
    const template = {
      metadata: { labels: { app: "web" } },
      spec: { containers: [{ name: "c", image: "i:1" }] },
    };
    const spec = { replicas: 1, selector: { matchLabels: { app: "web" } }, template };
    const made = await client.create(deploymentType, { metadata: { namespace, name: "web" }, spec }, call);
    const key = { namespace, name: "web" };
    const image = "/spec/template/spec/containers/0/image";
    const guarded = (uid: string) =>
      jsonPatch(
        { op: "test", path: "/metadata/uid", value: uid },
        { op: "replace", path: image, value: "i:2" },
      );
    const stale = await failureOf(client.patch(deploymentType, key, guarded("other"), call));
    const invalid = await failureOf(
      client.patch(deploymentType, key, jsonPatch({ op: "replace", path: image, value: "" }), call),
    );
    expect([isInvalid(stale), isInvalid(invalid)]).toEqual([true, true]);
    expect((await client.get(deploymentType, key, call)).metadata.resourceVersion).toBe(
      made.metadata.resourceVersion,
    );

    const dry = await client.patch(deploymentType, key, guarded(made.metadata.uid), {
      ...call,
      dryRun: true,
    });
    expect(dry.spec.template.spec.containers[0]!.image).toBe("i:2");
    const done = await client.patch(deploymentType, key, guarded(made.metadata.uid), call);
    expect(done.spec.template.spec.containers[0]!.image).toBe("i:2");

    const scale = await client.patch(deploymentType, key, mergePatch({ spec: { replicas: 3 } }), {
      ...call,
      subresource: "scale",
    });
    expect(scale).toMatchObject({ kind: "Scale", spec: { replicas: 3 } });
    const applied = applyPatch({ metadata: { name: "web" }, spec: { paused: true } });
    const apply = { ...call, fieldManager: "kube-runtime-test", force: true };
    expect((await client.patch(deploymentType, key, applied, apply)).spec.paused).toBe(true);
    const current = await client.get(deploymentType, key, call);
    const written = await client.replaceStatus(deploymentType, { ...current, status: { replicas: 2 } }, call);
    expect(written.status).toMatchObject({ replicas: 2 });
    expect(isConflict(await failureOf(client.replaceStatus(deploymentType, current, call)))).toBe(true);
  });

  it("reads metadata without content", async () => {
    const namespace = await lab.namespace("metadata");
    await client.create(secretType, { metadata: { namespace, name: "s" }, data: { key: "c2VjcmV0" } }, call);
    const metadata = await client.getMetadata(secretType, { namespace, name: "s" }, call);
    expect(metadata).toMatchObject({ kind: "PartialObjectMetadata", metadata: { name: "s" } });
    expect(metadata).not.toHaveProperty("data");
  });

  it("pages 1,200 objects by 500 at one version", async () => {
    const namespace = await lab.namespace("pages");
    const names = Array.from({ length: 1_200 }, (_, i) => `c${String(i).padStart(4, "0")}`);
    const queue = [...names];
    const worker = async () => {
      for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
        await client.create(configMapType, { metadata: { namespace, name } }, call);
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    const sizes: number[] = [];
    const versions = new Set<string>();
    for await (const page of client.pages(configMapType, { ...call, namespace })) {
      sizes.push(page.items.length);
      versions.add(page.resourceVersion);
    }
    expect([sizes, versions.size]).toEqual([[500, 500, 200], 1]);
    const list = await client.list(configMapType, { ...call, namespace });
    expect(list.items.map((each) => each.metadata.name)).toEqual(names);
    expect(list.items[0]).toMatchObject({ apiVersion: "v1", kind: "ConfigMap" });
    const bad = await failureOf(
      client.list(configMapType, { ...call, namespace, fieldSelector: "spec.x=1" }),
    );
    expect(bad).toMatchObject({ code: 400, reason: "BadRequest", retryable: false });
  }, 120_000);
});

describe("impersonation", () => {
  it("has the service account's rights, no more and no less, with the groups of its token", async () => {
    const namespace = await lab.namespace("tenants");
    const [with_, without] = ["with", "without"];
    for (const name of [with_, without])
      await client.create(serviceAccountType, { metadata: { namespace, name } }, call);
    const rules = [{ apiGroups: [""], resources: ["configmaps"], verbs: ["get", "create"] }];
    await client.create(roleType, { metadata: { namespace, name: "r" }, rules }, call);
    const subjects = [{ kind: "ServiceAccount", namespace, name: with_ }];
    const roleRef = { apiGroup: group, kind: "Role", name: "r" };
    await client.create(roleBindingType, { metadata: { namespace, name: "b" }, roleRef, subjects }, call);

    const allowed = client.as({ namespace, name: with_ });
    const denied = client.as({ namespace, name: without });
    const key = { namespace, name: "mine" };
    const question = { namespace, verb: "create", resource: "configmaps" };
    expect(await allowed.canI(question, call)).toMatchObject({ allowed: true });
    expect(await denied.canI(question, call)).toMatchObject({ allowed: false });
    expect(await allowed.canI({ ...question, verb: "delete" }, call)).toMatchObject({ allowed: false });
    await allowed.create(configMapType, { metadata: key }, call);
    expect((await allowed.get(configMapType, key, call)).metadata.name).toBe("mine");
    expect(isForbidden(await failureOf(allowed.delete(configMapType, key, call)))).toBe(true);
    const refused = await failureOf(denied.create(configMapType, { metadata: key }, call));
    expect(isForbidden(refused)).toBe(true);
    expect((refused as Error).message).toContain("system:serviceaccount:tenants:without");
    const watch = denied.watch(configMapType, {
      ...call,
      namespace,
      resourceVersion: "1",
      timeoutSeconds: 5,
      stallMs: 5_000,
    });
    expect(isForbidden(await failureOf(watch[Symbol.asyncIterator]().next()))).toBe(true);

    const reviewType = defineResource<KubeObject & { readonly status: { readonly userInfo: object } }>({
      apiVersion: "authentication.k8s.io/v1",
      kind: "SelfSubjectReview",
      plural: "selfsubjectreviews",
      namespaced: false,
    });
    const review = await allowed.create(reviewType, { metadata: {} }, call);
    expect(review.status.userInfo).toMatchObject({
      username: "system:serviceaccount:tenants:with",
      groups: ["system:serviceaccounts", "system:serviceaccounts:tenants", "system:authenticated"],
    });
  });

  it("needs the right to impersonate service accounts, and none about groups", async () => {
    const namespace = await lab.namespace("operators");
    await client.create(serviceAccountType, { metadata: { namespace, name: "operator" } }, call);
    const rules = [{ apiGroups: [""], resources: ["serviceaccounts"], verbs: ["impersonate"] }];
    await client.create(clusterRoleType, { metadata: { name: "impersonator" }, rules }, call);
    const roleRef = { apiGroup: group, kind: "ClusterRole", name: "impersonator" };
    const subjects = [{ kind: "ServiceAccount", namespace, name: "operator" }];
    await client.create(
      clusterRoleBindingType,
      { metadata: { name: "impersonator" }, roleRef, subjects },
      call,
    );
    const token = (await lab.transport.request({
      method: "POST",
      path: `/api/v1/namespaces/${namespace}/serviceaccounts/operator/token`,
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
      idempotent: true,
      verb: "create",
      resource: "serviceaccounts/token",
      target: "serviceaccounts operators/operator (token)",
      ...call,
    })) as { readonly status: { readonly token: string } };
    const own = lab.open(token.status.token);
    const operator = createKubeClient({ transport: own, clock });
    const question = { namespace: "tenants", verb: "create", resource: "configmaps" };
    expect(await operator.canI(question, call)).toMatchObject({ allowed: false });
    expect(await operator.as({ namespace: "tenants", name: "with" }).canI(question, call)).toMatchObject({
      allowed: true,
    });
  });
});
