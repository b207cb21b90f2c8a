import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { recordRelease } from "../../src/controllers/ledger/changes.ts";
import { changeLedger } from "../../src/controllers/ledger/ledger.ts";
import { POLICY_ANNOTATIONS } from "../../src/crds/annotations.ts";
import { inParallel } from "../support/in-parallel.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { imageOf, openShop, readyOf, revisionNumber, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const { signal } = new AbortController();
const FROZEN = `${POLICY_ANNOTATIONS.freeze}=true`;

/** What binds an automatic rollback and what binds a person: the table of guards. */
describe("a person's request", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** web:v1 and, live, web:v2, with a policy that watches it. */
  async function watched(namespace: string, spec: PartialSpec = {}): Promise<Shop> {
    const shop = await openShop(world, namespace);
    await shop.open();
    await shop.release("web:v2");
    const policy = {
      apiVersion: "rollback.llm-research-lab.io/v1alpha1",
      kind: "RollbackPolicy",
      metadata: { name: "web", namespace },
      spec: {
        target: { kind: "Deployment", name: "web" },
        serviceAccountName: "rollback-executor",
        signals: [{ name: "load", prometheus: { query: "vector(0)" } }],
        matrix: [{ name: "row", when: { signal: "load", above: "1" }, action: "Notify" }],
        ...spec,
      },
    };
    await world.kubectl(["apply", "-f", "-"], JSON.stringify(policy));
    return shop;
  }

  async function warningsOf(shop: Shop, name: string): Promise<readonly string[]> {
    const { status } = await shop.ended(name);
    return status?.plan?.steps.flatMap(({ warnings }) => warnings) ?? [];
  }

  inParallel(
    {
      "is warned of what would hold the operator, and done all the same": async () => {
        const shop = await watched("warned", {
          suspend: true,
          guards: {
            settle: "0s",
            maxPerDay: 0,
            freeze: [{ name: "always", schedule: "* * * * *", duration: "1h", allow: ["SEV1"] }],
          },
        });
        await shop.ask("look", undefined, { dryRun: true });
        const warnings = await warningsOf(shop, "look");
        expect(warnings).toEqual(
          expect.arrayContaining([
            expect.stringContaining('held (Frozen): inside the freeze window "always"'),
            expect.stringContaining("held (BudgetSpent): 0 automatic rollbacks of this target"),
            expect.stringContaining("no revision is recorded as known good"),
          ]),
        );
        await shop.ask("undo");
        expect((await shop.ended("undo")).status?.phase).toBe("Succeeded");
        expect(imageOf(await shop.live())).toBe("web:v1");
      },

      "right after a release is warned of its age": async () => {
        const shop = await watched("settling", { guards: { settle: "10m" } });
        const live = (await shop.replicaSets()).find((each) => revisionNumber(each) === 2);
        const release = {
          targetUid: (await shop.live()).metadata.uid,
          replicaSetUid: live?.metadata.uid ?? "",
          podTemplateHash: live?.metadata.labels?.["pod-template-hash"] ?? "",
          revision: 2,
          startedAt: live?.metadata.creationTimestamp ?? "",
        };
        // As the policy's controller records it, which has no Prometheus here.
        const target = { group: "apps", kind: "Deployment", namespace: "settling", name: "web" };
        await changeLedger(world.client, target, (ledger) => recordRelease(ledger, release), signal);
        await shop.ask("look", undefined, { dryRun: true });
        expect((await warningsOf(shop, "look")).join("\n")).toMatch(
          /held \(Settling\): revision 2 started at/,
        );
      },

      "is refused where the target is frozen, unless it is SEV1": async () => {
        const shop = await openShop(world, "frozen");
        await shop.open();
        await shop.release("web:v2");
        await world.kubectl(["annotate", "deployment/web", "-n", "frozen", FROZEN]);
        await until(
          "the operator knows",
          async () => {
            const name = `try-${Math.random().toString(36).slice(2, 8)}`;
            await shop.ask(name, undefined, { dryRun: true });
            return readyOf(await shop.ended(name));
          },
          ({ reason }) => reason === "Frozen",
        );
        await shop.ask("undo", undefined, { severity: "SEV2" });
        expect(readyOf(await shop.ended("undo"))).toEqual({
          reason: "Frozen",
          message:
            "refused, nothing was changed: Deployment/web has the annotation rollback.llm-research-lab.io/freeze: remove it, or ask again with severity SEV1",
        });
        expect(await shop.acts()).toEqual([]);
        await shop.ask("urgent", undefined, { severity: "SEV1" });
        expect((await shop.ended("urgent")).status?.phase).toBe("Succeeded");
      },

      "is refused where the policy is frozen, named or not; and where a StatefulSet is": async () => {
        const shop = await watched("frozen-policy");
        await world.kubectl(["annotate", "rbp/web", "-n", "frozen-policy", FROZEN]);
        await until(
          "the operator knows",
          async () => {
            const name = `try-${Math.random().toString(36).slice(2, 8)}`;
            await shop.ask(name, undefined, { dryRun: true });
            return readyOf(await shop.ended(name));
          },
          ({ reason }) => reason === "Frozen",
        );
        await shop.ask("named", undefined, { policyRef: { name: "web" }, steps: undefined });
        expect(readyOf(await shop.ended("named")).message).toContain("RollbackPolicy/web has the annotation");

        const set = {
          apiVersion: "apps/v1",
          kind: "StatefulSet",
          metadata: {
            name: "db",
            namespace: "frozen-policy",
            annotations: { [POLICY_ANNOTATIONS.freeze]: "true" },
          },
          spec: {
            serviceName: "db",
            replicas: 0,
            selector: { matchLabels: { app: "db" } },
            template: {
              metadata: { labels: { app: "db" } },
              spec: { containers: [{ name: "app", image: "db:v1" }] },
            },
          },
        };
        await world.kubectl(["apply", "-f", "-"], JSON.stringify(set));
        const steps = [{ name: "db", workload: { kind: "StatefulSet", name: "db" } }];
        await until(
          "the operator knows",
          async () => {
            const name = `db-${Math.random().toString(36).slice(2, 8)}`;
            await shop.ask(name, undefined, { steps, dryRun: true });
            return readyOf(await shop.ended(name));
          },
          ({ message }) => message.includes("StatefulSet/db has the annotation"),
        );
      },
    },
    120_000,
  );

  it("breaks no rule of kstatus in any stored status", async () => {
    expect(statusComplaints(await storedVersions(world.controlPlane.auditLogPath))).toEqual([]);
  });
});
