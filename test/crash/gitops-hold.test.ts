import { afterAll, beforeAll, describe, it } from "@jest/globals";
import { OWNER_ANNOTATIONS, REQUEST_ANNOTATIONS } from "../../src/crds/annotations.ts";
import { readLedger } from "../../src/controllers/ledger/ledger.ts";
import { leaseType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { answerRefreshes, installGitOps, watchWithHolds, type GitOpsWorld } from "../support/gitops.ts";
import { dieAfterEachWrite, driveHolds, driveRequest, SYSTEM } from "../support/mortal-operator.ts";
import { imageOf, openShop, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

const signal = new AbortController().signal;
const HOLD_ACCOUNT = `system:serviceaccount:${SYSTEM}:rollback-hold`;

describe("the operator dies after each write of a rollback that holds an Application", () => {
  let world: World;
  let gitOps: GitOpsWorld;
  const argoCd = new AbortController();
  let answering: Promise<void> | undefined;

  beforeAll(async () => {
    world = await startWorld();
    gitOps = await installGitOps(world);
    answering = answerRefreshes(world.client, argoCd.signal);
  }, 120_000);

  afterAll(async () => {
    argoCd.abort();
    await answering;
    await world?.stop();
  }, 60_000);

  async function open(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace);
    const id = `${namespace}:apps/Deployment:${namespace}/web`;
    await shop.open("web", { metadata: { annotations: { "argocd.argoproj.io/tracking-id": id } } });
    await shop.release("web:v2");
    await gitOps.application(namespace, namespace);
    await watchWithHolds(world, namespace);
    const spec = { policyRef: { name: "web" }, verification: { checks: [] } };
    await shop.ask("undo", { strategy: "Previous" }, spec);
    return shop;
  }

  /** To the end of the request, and then to the end of its hold, which a person asks for. */
  async function drive(client: Parameters<typeof driveRequest>[0], namespace: string): Promise<void> {
    const key = `${namespace}/undo`;
    await driveRequest(client, key);
    const annotations = { [REQUEST_ANNOTATIONS.release]: "true" };
    await world.kubectl([
      "annotate",
      "rollbackrequest",
      "undo",
      "-n",
      namespace,
      "--overwrite",
      ...Object.entries(annotations).map(([name, value]) => `${name}=${value}`),
    ]);
    await driveHolds(client, key);
    await driveRequest(client, key);
  }

  /** What is not as one undisturbed request leaves it. */
  async function outcome(shop: Shop) {
    const { namespace } = shop;
    const target = { group: "apps", kind: "Deployment", namespace, name: "web" };
    const [request, web, application, ledger, audit, leases] = await Promise.all([
      shop.request("undo"),
      shop.live(),
      gitOps.liveApplication(namespace),
      readLedger(world.client, target, signal),
      readAudit(world.controlPlane.auditLogPath),
      world.client.list(leaseType, { namespace: SYSTEM, signal }),
    ]);
    return {
      phase: request.status?.phase,
      holds: request.status?.holds?.map(({ state, found, endReason }) => [state, found, endReason]),
      persisted: request.status?.conditions?.find(({ type }) => type === "Persisted")?.reason,
      finalizers: request.metadata.finalizers ?? [],
      image: imageOf(web),
      automated: application.spec.syncPolicy?.automated,
      held: application.metadata.annotations?.[OWNER_ANNOTATIONS.held],
      ledger: ledger?.spec.holds,
      touched: audit.writes({ resource: "applications", name: namespace, actor: HOLD_ACCOUNT }).length,
      acts: (await shop.acts()).length,
      locks: leases.items.filter(({ spec }) => spec?.holderIdentity?.startsWith(`${namespace}/`) === true)
        .length,
    };
  }

  it("same end, stopped once and started once", async () => {
    await dieAfterEachWrite({
      world,
      prefix: "held",
      open,
      drive,
      outcome,
      undisturbed: {
        phase: "Succeeded",
        holds: [["Released", "Absent", "Released"]],
        persisted: "Released",
        finalizers: [],
        image: "web:v1",
        automated: { selfHeal: true, prune: true },
        held: undefined,
        ledger: undefined,
        touched: 2,
        acts: 1,
        locks: 0,
      },
      // Lock, ledgers, journal, the hold, the act, the release.
      moreThan: 12,
    });
  }, 300_000);
});
