import type { KubeClient } from "../../kube/client.ts";
import type { Clock, Random } from "../../kube/clock.ts";
import { TargetWatch, type WhyUnknown } from "../../kube/target-watch.ts";
import { vulnerabilityReportType, type VulnerabilityReport } from "../../kube/trivy-types.ts";
import { reportFacts, targetOfReport, type ReportFacts } from "./scans.ts";

export interface ReportWatchOptions {
  readonly client: Pick<KubeClient, "pages" | "watch">;
  readonly clock: Clock;
  readonly random: Random;
  readonly wholeCluster: boolean;
}

/** What the Trivy Operator tells of a Deployment now. */
export type ReportView =
  | {
      readonly kind: "Known";
      /** Of all its ReplicaSets. */
      readonly reports: readonly ReportFacts[];
    }
  | { readonly kind: "Unknown"; readonly reason: WhyUnknown; readonly message: string };

const BY_TARGET = "target";
const NOT_FOUND = 404;
const NOT_SERVED =
  "the API server does not serve vulnerabilityreports.aquasecurity.github.io: install the Trivy Operator";

/**
 * The reports about those Deployments whose policies ask for them. Where the kind is not served yet, it is asked for again
 * every half minute at most.
 */
export class ReportWatch {
  readonly #watch: TargetWatch<VulnerabilityReport, ReportFacts>;

  constructor(options: ReportWatchOptions) {
    this.#watch = new TargetWatch({
      ...options,
      type: vulnerabilityReportType,
      targetOf: targetOfReport,
      transform: reportFacts,
      indexers: { [BY_TARGET]: (report) => [targetOfReport(report) ?? ""] },
    });
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#watch.run(signal);
  }

  /** Deployments as `namespace/name`. */
  follow(targets: ReadonlySet<string>): void {
    this.#watch.follow(targets);
  }

  view(target: string): ReportView {
    const view = this.#watch.view(target);
    if (view.kind === "Known") return { kind: "Known", reports: view.store.byIndex(BY_TARGET, target) };
    const message = view.code === NOT_FOUND ? NOT_SERVED : view.message;
    return { kind: "Unknown", reason: view.reason, message };
  }
}
