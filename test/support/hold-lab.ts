import { readLedger } from "../../src/controllers/ledger/ledger.ts";
import type { LedgerHold } from "../../src/crds/gitops-hold.ts";
import type { Application } from "../../src/gitops/kinds.ts";
import type { RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { answerRefreshes, installGitOps, watchWithHolds, type GitOpsWorld } from "./gitops.ts";
import { openShop, type PartialSpec, type Shop } from "./shop.ts";
import { startWorld, until, type World } from "./world.ts";

/** A world with the kinds of Argo CD and Flux, in which somebody answers for Argo CD that it has looked. */
export interface HoldLab {
  readonly world: World;
  readonly gitOps: GitOpsWorld;
  /** web:v1 and, live, web:v2, as an Application of this name made them, and a policy that watches web. */
  open(namespace: string, gitOps?: "Hold" | "Refuse"): Promise<Shop>;
  /** A request that puts web back to the version before; without checks. */
  ask(shop: Shop, name?: string, spec?: PartialSpec): Promise<RollbackRequest>;
  succeeded(shop: Shop, name?: string): Promise<RollbackRequest>;
  /** The request once its condition Persisted has this reason. */
  untilPersisted(shop: Shop, reason: string, name?: string): Promise<RollbackRequest>;
  /** What the target's ledger says is stopped. */
  openHolds(shop: Shop): Promise<readonly LedgerHold[] | undefined>;
  automated(application: string): Promise<NonNullable<Application["spec"]["syncPolicy"]>["automated"]>;
  stop(): Promise<void>;
}

export async function startHoldLab(): Promise<HoldLab> {
  const { signal } = new AbortController();
  const argoCd = new AbortController();
  const world = await startWorld();
  const gitOps = await installGitOps(world);
  const answering = answerRefreshes(world.client, argoCd.signal);
  await world.operator();
  return {
    world,
    gitOps,
    async open(namespace, mode = "Hold") {
      const shop = await openShop(world, namespace);
      const id = `${namespace}:apps/Deployment:${namespace}/web`;
      await shop.open("web", { metadata: { annotations: { "argocd.argoproj.io/tracking-id": id } } });
      await shop.release("web:v2");
      await watchWithHolds(world, namespace, mode);
      return shop;
    },
    ask: (shop, name = "undo", spec = {}) =>
      shop.ask(name, { strategy: "Previous" }, { verification: { checks: [] }, ...spec }),
    succeeded: (shop, name = "undo") => shop.reaches(name, "Succeeded"),
    untilPersisted: (shop, reason, name = "undo") =>
      until(
        `${shop.namespace}/${name} is ${reason}`,
        () => shop.request(name),
        (request) => persisted(request)?.reason === reason,
      ),
    async openHolds({ namespace }) {
      const target = { group: "apps", kind: "Deployment", namespace, name: "web" };
      return (await readLedger(world.client, target, signal))?.spec.holds;
    },
    automated: async (name) => (await gitOps.liveApplication(name)).spec.syncPolicy?.automated,
    async stop() {
      argoCd.abort();
      await answering;
      await world.stop();
    },
  };
}

export function persisted({ status }: RollbackRequest) {
  return status?.conditions?.find(({ type }) => type === "Persisted");
}
