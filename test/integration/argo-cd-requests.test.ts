import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { API_VERSION } from "../../src/crds/common.ts";
import { readAudit } from "../cluster/audit.ts";
import { ARGO_CD_ACCOUNT, startArgoCd, type ArgoCd } from "../support/argo-cd.ts";
import { lacksOfArgoCd, tellSkipped } from "../support/argo-cd-lacks.ts";
import { imageOf, openShop, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 180_000;
const TEST_MS = 180_000;

const lacks = lacksOfArgoCd();
tellSkipped("requests through Argo CD are not tested, it cannot be run here", lacks);
const describeWithArgoCd = lacks === "" ? describe : describe.skip;

describeWithArgoCd("with the real Argo CD", () => {
  let world: World;
  let argo: ArgoCd;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
    const approval = settingsOf("deploy/argo-cd/with-approval/argocd-cm.yaml", (text) =>
      // Its API server writes by the cluster's Secret here, so as the account of that: docs/gitops.md says to set it.
      text.replace("system:serviceaccount:argocd:argocd-server", ARGO_CD_ACCOUNT),
    );
    const settings = { ...settingsOf("deploy/argo-cd/argocd-cm.yaml"), ...approval };
    argo = await startArgoCd(world, { apiServer: true, settings });
    await world.kubectl(["apply", "-f", "deploy/manifests/admission.yaml"]);
  }, START_MS);

  afterAll(async () => {
    await argo?.stop();
    await world?.stop();
  }, START_MS);

  function settingsOf(path: string, change = (text: string) => text): Readonly<Record<string, string>> {
    const { data } = parse(change(readFileSync(path, "utf8"))) as {
      readonly data: Readonly<Record<string, string>>;
    };
    return data;
  }

  /** Of the images' templates, which are the same in every namespace. */
  const hashes = new Map<string, string>();

  function request(name: string, spec: object = {}): string {
    return JSON.stringify({
      apiVersion: API_VERSION,
      kind: "RollbackRequest",
      metadata: { name },
      spec: {
        reason: "5xx since v3",
        requestedBy: "alice@example.org",
        steps: [{ name: "app", workload: { kind: "Deployment", name: "web", to: { strategy: "Previous" } } }],
        verification: { settle: "0s", soak: "2s", interval: "1s" },
        expect: { podTemplateHash: hashes.get("web:v3") },
        ...spec,
      },
    });
  }

  /** How often Argo CD has made and removed this request. */
  async function lives({ namespace }: Shop, name: string): Promise<readonly string[]> {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit
      .writes({
        resource: "rollbackrequests",
        verb: ["create", "delete"],
        namespace,
        name,
        actor: ARGO_CD_ACCOUNT,
      })
      .map(({ verb }) => verb);
  }

  /** web:v1, web:v2 and, live, web:v3; not in Git. And an Application that syncs requests. */
  async function shopWithRequests(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace);
    await shop.open();
    await shop.release("web:v2");
    await shop.release("web:v3");
    for (const { metadata, spec } of await shop.replicaSets()) {
      const [image] = spec.template.spec.containers.map((container) => container.image);
      hashes.set(image ?? "", metadata.labels?.["pod-template-hash"] ?? "");
    }
    await argo.create({
      name: namespace,
      into: namespace,
      path: namespace,
      automated: { selfHeal: true, prune: true },
    });
    return shop;
  }

  const file = (namespace: string, name: string) => `${namespace}/${name}.json`;
  /** So that its folder is never empty, and is there before the first request. */
  const keep = (namespace: string) => ({
    [file(namespace, "note")]: JSON.stringify({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "note" },
    }),
  });

  async function isGone({ namespace }: Shop, name: string): Promise<void> {
    await until(
      `RollbackRequest ${name} is gone`,
      () => world.kubectl.attempt(["get", "rbr", name, "-n", namespace]),
      ({ stderr }) => stderr.includes("NotFound"),
    );
  }

  it(
    "a request in Git is synced once and runs once; pruned and committed again, it never runs twice",
    async () => {
      const { repository } = argo;
      await repository.commit("Folder", keep("once"));
      const shop = await shopWithRequests("once");
      const committed = { [file("once", "undo")]: request("undo") };

      const first = await repository.commit("Undo v3", committed);
      await argo.synced("once", first);

      const ended = await shop.ended("undo");
      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(ended.status?.trigger?.claimedBy).toBe("alice@example.org");
      expect(imageOf(await shop.live())).toBe("web:v2");
      const healthy = await argo.shows(
        "once",
        "is healthy",
        ({ status }) => status?.health?.status === "Healthy",
      );
      expect(healthy.status?.operationState?.phase).toBe("Succeeded");
      expect(await argo.resource("once", "RollbackRequest", "undo")).toMatchObject({
        status: "Synced",
        health: { status: "Healthy", message: readyOf(ended).message },
      });
      // The next commit has it applied again: what the operator wrote is not undone, nothing is changed.
      const { resourceVersion } = (await shop.request("undo")).metadata;
      await argo.synced("once", await repository.commit("Note", { "once/note2.json": note("note2") }));
      expect((await shop.request("undo")).metadata.resourceVersion).toBe(resourceVersion);
      expect(await lives(shop, "undo")).toEqual(["create"]);
      expect(await shop.acts()).toHaveLength(1);

      await argo.synced("once", await repository.commit("Forget it", { [file("once", "undo")]: undefined }));
      await isGone(shop, "undo");
      await argo.synced("once", await repository.commit("Once more", committed));

      const again = await shop.ended("undo");
      expect(again.metadata.uid).not.toBe(ended.metadata.uid);
      expect(readyOf(again)).toEqual({
        reason: "AlreadyExecuted",
        message: expect.stringContaining(`as ${ended.metadata.uid} and ended Succeeded; nothing done now`),
      });
      await argo.shows("once", "is healthy", ({ status }) => status?.health?.status === "Healthy");
      expect(await shop.acts()).toHaveLength(1);

      // Somebody deletes it and a newer version is out when self-heal makes it again.
      await shop.release("web:v4");
      await shop.remove("undo");
      const third = await until(
        "it is made again",
        () => shop.request("undo").catch(() => undefined),
        (made) => made !== undefined && made.metadata.uid !== again.metadata.uid,
        60_000,
      );
      expect(third?.metadata.uid).not.toBe(ended.metadata.uid);
      expect(readyOf(await shop.ended("undo"))).toEqual({
        reason: "AlreadyExecuted",
        message: expect.stringContaining("since then revision 5 was released; nothing done now"),
      });
      // Nothing was done and nothing will be: no reason to keep the Application red.
      expect((await shop.request("undo")).status?.phase).toBe("Superseded");
      await argo.shows("once", "is healthy", ({ status }) => status?.health?.status === "Healthy");
      expect(imageOf(await shop.live())).toBe("web:v4");
      expect(await shop.acts()).toHaveLength(1);
      await argo.synced(
        "once",
        await repository.commit("Done with it", { [file("once", "undo")]: undefined }),
      );
      await argo.shows("once", "is healthy", ({ status }) => status?.health?.status === "Healthy");
      expect(await lives(shop, "undo")).toEqual(["create", "delete", "create", "create", "delete"]);
    },
    TEST_MS,
  );

  function note(name: string): string {
    return JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });
  }

  it(
    "a request that is edited in Git is refused, and one with a new name runs",
    async () => {
      const { repository } = argo;
      await repository.commit("Folder", keep("edited"));
      const shop = await shopWithRequests("edited");
      await argo.synced(
        "edited",
        await repository.commit("Undo v3", { [file("edited", "undo-1")]: request("undo-1") }),
      );
      const ended = await shop.ended("undo-1");

      const further = { steps: stepTo(1), expect: { podTemplateHash: hashes.get("web:v2") } };
      await repository.commit("Further", { [file("edited", "undo-1")]: request("undo-1", further) });
      await argo.refresh("edited");

      const failed = await argo.shows(
        "edited",
        "cannot be synced",
        ({ status }) => status?.operationState?.phase === "Failed",
      );
      expect(failed.status?.sync?.status).toBe("OutOfSync");
      expect(JSON.stringify(failed.status)).toContain(
        "spec is immutable: create a new RollbackRequest with a new name",
      );
      expect((await shop.request("undo-1")).metadata.resourceVersion).toBe(ended.metadata.resourceVersion);

      const mended = await repository.commit("As a request of its own", {
        [file("edited", "undo-1")]: request("undo-1"),
        [file("edited", "undo-2")]: request("undo-2", further),
      });
      await argo.synced("edited", mended);
      expect(readyOf(await shop.ended("undo-2")).reason).toBe("RolledBack");
      expect(imageOf(await shop.live())).toBe("web:v1");
      expect((await shop.request("undo-1")).metadata.uid).toBe(ended.metadata.uid);
      expect(await shop.acts()).toHaveLength(2);
    },
    TEST_MS,
  );

  const stepTo = (revision: number) => [
    { name: "app", workload: { kind: "Deployment", name: "web", to: { revision } } },
  ];

  it(
    "a request that waits for its approval suspends the Application; the answer of a person is kept by self-heal",
    async () => {
      const { repository } = argo;
      await repository.commit("Folder", keep("asked"));
      const shop = await shopWithRequests("asked");
      const committed = { [file("asked", "undo")]: request("undo", { approval: "Required" }) };
      await argo.synced("asked", await repository.commit("Undo v3?", committed));
      const { status } = await shop.reaches("undo", "AwaitingApproval");
      await argo.shows("asked", "is suspended", ({ status }) => status?.health?.status === "Suspended");

      // A commit does not approve: who merged it, the cluster cannot know.
      const digest = status?.plan?.digest ?? "";
      const annotations = {
        "rollback.llm-research-lab.io/approve": digest,
        "rollback.llm-research-lab.io/approved-by": ARGO_CD_ACCOUNT,
      };
      const manifest = JSON.parse(committed[file("asked", "undo")] ?? "") as { metadata: object };
      const approving = { ...manifest, metadata: { ...manifest.metadata, annotations } };
      await repository.commit("Approve", { [file("asked", "undo")]: JSON.stringify(approving) });
      await argo.refresh("asked");
      const refused = await argo.shows(
        "asked",
        "cannot be synced",
        (application) => application.status?.operationState?.phase === "Failed",
      );
      expect(JSON.stringify(refused.status)).toContain("a GitOps tool does not approve");
      expect((await shop.request("undo")).status?.phase).toBe("AwaitingApproval");
      const back = await repository.commit("As it was", committed);
      await argo.synced("asked", back);

      const person = ["-n", "asked", "--as=carol", "--as-group=system:masters"];
      await world.kubectl([
        ...person,
        "annotate",
        "rbr",
        "undo",
        `rollback.llm-research-lab.io/approve=${digest}`,
        "rollback.llm-research-lab.io/approved-by=carol",
      ]);

      const ended = await shop.ended("undo");
      expect(ended.status?.phase).toBe("Succeeded");
      const application = await argo.synced("asked", back);
      expect(application.status?.sync?.status).toBe("Synced");
      expect((await shop.request("undo")).metadata.annotations).toMatchObject({
        "rollback.llm-research-lab.io/approved-by": "carol",
      });
      expect(await shop.acts()).toHaveLength(1);
    },
    TEST_MS,
  );

  it(
    "buttons deny, abort, and approve the plan that was read, once the admission policy lists who presses them",
    async () => {
      const { repository } = argo;
      await repository.commit("Folder", keep("buttons"));
      const shop = await shopWithRequests("buttons");
      const names = ["denied", "aborted", "approved"];
      const files = names.map((name) => [
        file("buttons", name),
        request(name, { approval: "Required", reason: name }),
      ]);
      const commit = await repository.commit("Three proposals", Object.fromEntries(files));
      await argo.synced("buttons", commit);
      const waiting = await Promise.all(names.map((name) => shop.reaches(name, "AwaitingApproval")));
      const digest = waiting[2]?.status?.plan?.digest ?? "";
      const press = (action: string, name: string, parameters = {}) =>
        argo.act({
          application: "buttons",
          namespace: "buttons",
          kind: "RollbackRequest",
          name,
          action,
          parameters,
        });

      expect(await press("deny", "denied")).toMatchObject({ ok: true });
      expect(readyOf(await shop.ended("denied")).message).toContain("denied in Argo CD");
      expect(await press("abort", "aborted")).toMatchObject({ ok: true });
      expect((await shop.ended("aborted")).status?.phase).toBe("Aborted");
      expect(await press("abort", "aborted")).toMatchObject({
        ok: false,
        text: expect.stringContaining("nothing to abort: the request has ended Aborted"),
      });

      expect(await press("approve", "approved")).toMatchObject({
        ok: false,
        text: expect.stringContaining("name the plan that you have read"),
      });
      expect(await press("approve", "approved", { plan: digest })).toMatchObject({
        ok: false,
        text: expect.stringContaining("a GitOps tool does not approve"),
      });
      expect((await shop.request("approved")).status?.phase).toBe("AwaitingApproval");
      expect(await shop.acts()).toEqual([]);

      const policy = readFileSync("deploy/manifests/admission.yaml", "utf8");
      await world.kubectl(["apply", "-f", "-"], policy.replace(`"['']"`, `"['${ARGO_CD_ACCOUNT}']"`));
      await until(
        "the account may approve",
        () => press("approve", "approved", { plan: digest }),
        ({ ok }) => ok,
      );
      const ended = await shop.ended("approved");
      expect(ended.status?.conditions?.find(({ type }) => type === "Approved")?.message).toBe(
        `approved by ${ARGO_CD_ACCOUNT}: plan ${digest}`,
      );
      expect(imageOf(await shop.live())).toBe("web:v2");
      expect(await shop.acts()).toHaveLength(1);
      expect((await argo.synced("buttons", commit)).status?.sync?.status).toBe("Synced");
    },
    TEST_MS,
  );
});
