/**
 * The cluster that the evaluators look at, and what they say. Written from the specifications and apart from the code
 * that rewrites: it knows pods, not roles.
 */

/** A group of pods: those of one Service with one value of the label that subsets go by, behind one port. */
export interface Pods {
  readonly service: string;
  readonly version: string;
  readonly port: number;
}

export const NAMESPACE = "shop";

/** `api` has both versions behind it and tells them apart by subset; the others are Services of one version. */
export const CLUSTER: readonly Pods[] = [
  ...["stable", "canary", "beta"].flatMap((version) =>
    [80, 9090].map((port) => ({ service: "api.shop.svc.cluster.local", version, port })),
  ),
  ...["api-stable", "api-canary", "other"].flatMap((name) =>
    [80, 9090].map((port) => ({ service: `${name}.shop.svc.cluster.local`, version: name, port })),
  ),
  { service: "api-canary.elsewhere.svc.cluster.local", version: "elsewhere", port: 80 },
];

/** Where requests go: the part of them, by the destination as JSON; and where copies go. */
export interface Outcome {
  readonly parts: ReadonlyMap<string, number>;
  readonly mirrors: readonly string[];
}

/** Nobody answers: no rule matched. */
export type Answer = Outcome | "NoRoute" | "Refused" | "Answered";

/** What a proxy resolves a destination to. */
export interface Target {
  readonly fqdn: string;
  readonly subset?: string;
  readonly port?: number;
}

/** The pods that may get a request which is sent there. */
export function podsBehind({ fqdn, subset, port }: Target): readonly Pods[] {
  return CLUSTER.filter(
    (pods) =>
      pods.service === fqdn &&
      (subset === undefined || pods.version === subset) &&
      (port === undefined || pods.port === port),
  );
}

export function meet(a: readonly Pods[], b: readonly Pods[]): boolean {
  return a.some((pods) => b.includes(pods));
}
