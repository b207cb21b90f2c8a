import { isForbidden } from "../../kube/errors.ts";
import { listIfServed } from "../../kube/list-if-served.ts";
import { defineResource, type KubeObject } from "../../kube/objects.ts";
import { podType, serviceType, type Service } from "../../kube/well-known.ts";
import { destinationText } from "../../crds/canary-step.ts";
import { isSameHost, serviceOf } from "../../traffic/destination.ts";
import type { Move } from "../../traffic/route-kind.ts";
import { isPodReady } from "../../workloads/pods.ts";
import { selectorText } from "../../workloads/read-workload.ts";
import type { PlanContext } from "../action.ts";
import { refused, type Findings } from "./refusal.ts";

interface DestinationRule extends KubeObject {
  readonly spec: {
    readonly host: string;
    readonly subsets?: readonly {
      readonly name: string;
      readonly labels?: Readonly<Record<string, string>>;
    }[];
  };
}

const destinationRuleType = defineResource<DestinationRule>({
  apiVersion: "networking.istio.io/v1",
  kind: "DestinationRule",
  plural: "destinationrules",
  namespaced: true,
});

/** What is to carry everything, as far as it can be looked at. */
export interface StableFindings extends Findings {
  /** Labels of the pods behind the stable destination, where they are known. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/**
 * Whether the stable destination has Ready pods behind it, and the ports that requests are to be sent to. What is no
 * Service of the namespace, or may not be read, is a warning. Throws KubeError.
 */
export async function checkStable(
  { stable, namespace }: Move,
  ports: readonly number[],
  canaryReplicas: number,
  { executor, signal }: PlanContext,
): Promise<StableFindings> {
  const name = destinationText(stable);
  const home = serviceOf(stable.host, namespace);
  if (home?.namespace !== namespace) {
    return unchecked(`${name} is no Service of this namespace, so whether it has Ready pods was not seen`);
  }
  const service = await executor.tryGet(serviceType, home, { signal }).catch(forbidden);
  if (service === "Forbidden") return unchecked(`no right to read Service ${home.name}`);
  if (service === undefined) {
    return refuse("TargetNotFound", `Service ${home.name}, which is to get all requests, does not exist`);
  }
  const missing = ports.filter((port) => !hasPort(service, port));
  if (missing.length > 0) {
    return refuse(
      "StableNotReady",
      `Service ${home.name} has no port ${missing.join(", ")}: name one that it has as \`stable.port\``,
    );
  }
  const { selector = {} } = service.spec;
  if (Object.keys(selector).length === 0) return unchecked(`Service ${home.name} has no selector`);
  const subset = await subsetLabels({ stable, namespace }, executor, signal);
  if (subset.kind === "Unknown") return unchecked(subset.why);
  const labels = { ...selector, ...subset.labels };
  const labelSelector = selectorText({ matchLabels: labels });
  const { items } = await executor.list(podType, { namespace, labelSelector, signal });
  const ready = items.filter((pod) => pod.metadata.deletionTimestamp === undefined && isPodReady(pod)).length;
  if (ready === 0) {
    return refuse(
      "StableNotReady",
      `no pod behind ${name} is Ready (${labelSelector}): requests would find nobody; bring the stable version up first`,
    );
  }
  const few = `${name} has ${ready} Ready pods, fewer than the ${canaryReplicas} of the canary: it may not carry all requests`;
  return { labels, warnings: ready < canaryReplicas ? [few] : [] };
}

function hasPort({ spec }: Service, port: number): boolean {
  return spec.ports?.some((each) => each.port === port) ?? false;
}

type Subset =
  | { readonly kind: "Known"; readonly labels: Readonly<Record<string, string>> }
  | { readonly kind: "Unknown"; readonly why: string };

async function subsetLabels(
  { stable: { host, subset }, namespace }: Pick<Move, "stable" | "namespace">,
  executor: PlanContext["executor"],
  signal: AbortSignal,
): Promise<Subset> {
  if (subset === undefined) return { kind: "Known", labels: {} };
  const { items, warnings } = await listIfServed(destinationRuleType, executor, namespace, signal);
  if (warnings.length > 0) return { kind: "Unknown", why: "no right to list destinationrules" };
  const found = items
    .filter(({ spec }) => isSameHost(spec.host, host, namespace))
    .flatMap(({ spec }) => spec.subsets ?? [])
    .find(({ name }) => name === subset);
  return found === undefined
    ? {
        kind: "Unknown",
        why: `no DestinationRule of this namespace defines subset ${subset} of ${host}; if none elsewhere does, requests would be answered with 503`,
      }
    : { kind: "Known", labels: found.labels ?? {} };
}

function forbidden(error: unknown): "Forbidden" {
  if (isForbidden(error)) return "Forbidden";
  throw error;
}

function unchecked(why: string): StableFindings {
  return { warnings: [`unchecked: ${why}`] };
}

function refuse(reason: string, message: string): StableFindings {
  return { refusal: refused(reason, message), warnings: [] };
}
