import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { REQUEST_ANNOTATIONS as ANNOTATIONS } from "../../src/crds/annotations.ts";
import { openShop, OPERATOR_USER, type Shop } from "../support/shop.ts";
import type { KubectlResult } from "../support/kubectl.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;
const ARGO = "system:serviceaccount:argocd:argocd-application-controller";
const EXECUTOR = "system:serviceaccount:claims:rollback-executor";

describe("the admission policy for names on requests", () => {
  let world: World;
  let shop: Shop;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
    await world.kubectl(["apply", "-f", "deploy/manifests/admission.yaml"]);
    shop = await openShop(world, "claims");
    await shop.open();
    await shop.release("web:v2");
    await until(
      "the policy is in force",
      () => create("alice", "probe", { requestedBy: "bob" }),
      ({ code }) => code !== 0,
    );
    await world.kubectl(["delete", "rbr", "--all", "-n", "claims"]);
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** With every right in the API, so that only the policy stands in the way. */
  const as = (user: string) => ["-n", "claims", `--as=${user}`, "--as-group=system:masters"];

  function create(
    user: string,
    name: string,
    spec: object = {},
    annotations: object = {},
  ): Promise<KubectlResult> {
    const steps = [{ name: "app", workload: { kind: "Deployment", name: "web" } }];
    const verification = { settle: "0s", soak: "2s", interval: "1s" };
    const request = {
      apiVersion: "rollback.llm-research-lab.io/v1alpha1",
      kind: "RollbackRequest",
      metadata: { name, annotations },
      spec: { steps, verification, approval: "Required", ...spec },
    };
    return world.kubectl.attempt([...as(user), "create", "-f", "-"], JSON.stringify(request));
  }

  function annotate(user: string, name: string, ...annotations: readonly string[]): Promise<KubectlResult> {
    return world.kubectl.attempt([...as(user), "annotate", "rbr", name, "--overwrite", ...annotations]);
  }

  const approves = (digest: string, by: string) => [
    `${ANNOTATIONS.approve}=${digest}`,
    `${ANNOTATIONS.approvedBy}=${by}`,
  ];

  it(
    "takes who creates a request by their own name or by none",
    async () => {
      expect((await create("alice", "own", { requestedBy: "alice" })).code).toBe(0);
      expect((await create("alice", "none")).code).toBe(0);
      const { code, stderr } = await create("alice", "other", { requestedBy: "bob" });
      expect(code).toBe(1);
      expect(stderr).toContain("spec.requestedBy must be the user who creates the request: alice");
      expect((await create(ARGO, "synced", { requestedBy: "bob" })).code).toBe(0);
    },
    TEST_MS,
  );

  it.each([
    ARGO,
    "system:serviceaccount:argocd:argocd-server",
    "system:serviceaccount:another-namespace:argocd-application-controller",
    "system:serviceaccount:kube-system:argocd-manager",
    "system:serviceaccount:flux-system:kustomize-controller",
  ])(
    "lets no GitOps tool approve, not even by its own name, and lets it deny in nobody's: %s",
    async (tool) => {
      const name = `by-${tool.replaceAll(":", "-").slice(-40)}`;
      const own = { [ANNOTATIONS.approve]: "0123456789abcdef", [ANNOTATIONS.approvedBy]: tool };
      const born = await create(tool, name, {}, own);
      expect(born.stderr).toContain("a GitOps tool does not approve, since it does not tell for whom");
      await create("alice", name);
      const approved = await annotate(tool, name, ...approves("0123456789abcdef", tool));
      expect(approved.stderr).toContain(`list ${tool} under gitOpsApprovers`);
      expect(approved.code).toBe(1);
      const named = await annotate(tool, name, `${ANNOTATIONS.deny}=no`, `${ANNOTATIONS.deniedBy}=alice`);
      expect(named.code).toBe(1);
      // A person says who denies.
      expect((await annotate("bob", name, `${ANNOTATIONS.deny}=no`)).code).toBe(1);
      expect((await annotate(tool, name, `${ANNOTATIONS.deny}=no`)).code).toBe(0);
      expect((await shop.ended(name)).status?.phase).toBe("Denied");
    },
    TEST_MS,
  );

  it(
    "lets people approve and deny by their own name only",
    async () => {
      await create("alice", "names");
      const { status } = await shop.reaches("names", "AwaitingApproval");
      const digest = status?.plan?.digest ?? "";
      const refusals = [
        await annotate("bob", "names", ...approves(digest, "alice")),
        await annotate("bob", "names", `${ANNOTATIONS.approve}=${digest}`),
        await annotate("bob", "names", `${ANNOTATIONS.approvedBy}=alice`),
        // An account that may claim for others may not claim their approvals.
        await annotate(ARGO, "names", ...approves(digest, "alice")),
        await create(
          ARGO,
          "approved",
          {},
          { [ANNOTATIONS.approve]: digest, [ANNOTATIONS.approvedBy]: "alice" },
        ),
      ];
      for (const { code, stderr } of refusals) {
        expect(code).toBe(1);
        expect(stderr).toContain("approved-by must be the user who approves");
      }
      const denied = await annotate(
        "bob",
        "names",
        `${ANNOTATIONS.deny}=no`,
        `${ANNOTATIONS.deniedBy}=alice`,
      );
      expect(denied.stderr).toContain("denied-by must be the user who denies: bob");
      expect((await shop.request("names")).status?.phase).toBe("AwaitingApproval");

      expect((await annotate("bob", "names", "note=anything")).code).toBe(0);
      expect((await annotate("bob", "names", ...approves("0123456789abcdef", "bob"))).code).toBe(0);
      const overtaken = await annotate("carol", "names", `${ANNOTATIONS.approve}=${digest}`);
      expect(overtaken.stderr).toContain("must be the user who approves: carol");
      expect(
        (await annotate("carol", "names", `${ANNOTATIONS.approve}-`, `${ANNOTATIONS.approvedBy}-`)).code,
      ).toBe(0);
      expect((await annotate("carol", "names", ...approves(digest, "carol"))).code).toBe(0);

      // The operator's own writes, its finalizer among them, change none of it.
      const ended = await shop.ended("names");
      expect(ended.status?.conditions?.find(({ type }) => type === "Approved")?.message).toBe(
        `approved by carol: plan ${digest}`,
      );
    },
    TEST_MS,
  );

  it.each([OPERATOR_USER, EXECUTOR])(
    "lets no machine answer: %s",
    async (machine) => {
      const name = machine.endsWith("executor") ? "by-executor" : "by-operator";
      await create("alice", name);
      const approved = await annotate(machine, name, ...approves("0123456789abcdef", machine));
      expect(approved.stderr).toContain("neither the operator nor an executor may approve or deny a request");
      const denied = await annotate(
        machine,
        name,
        `${ANNOTATIONS.deny}=no`,
        `${ANNOTATIONS.deniedBy}=${machine}`,
      );
      expect(denied.code).toBe(1);
    },
    TEST_MS,
  );

  it("is part of what is installed, and not of what is installed in namespaces only", async () => {
    const rendered = await Promise.all(
      ["deploy/manifests", "deploy/overlays/namespaced"].map((path) => world.kubectl(["kustomize", path])),
    );
    expect(rendered.map((text) => text.split("kind: ValidatingAdmissionPolicy").length - 1)).toEqual([2, 0]);
  });
});
