import type { Kubectl } from "../../support/kubectl.ts";
import { NAMESPACE, OURS, TOOLS_NAMESPACE } from "../demo-layout.ts";
import { SYSTEM_NAMESPACE } from "../operator-pods.ts";

/** Kinds without a namespace of which the demo makes objects. */
const CLUSTER_WIDE = "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings";
const GROUP = "rollback.llm-research-lab.io";
const [[LABEL, VALUE] = ["", ""]] = Object.entries(OURS);
export const OURS_SELECTOR = `${LABEL}=${VALUE}`;

interface Item {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

/**
 * Throws, naming them, when objects that the demo would make are there already and are not the demo's. What lies in a
 * namespace of ours is ours.
 */
export async function refuseForeign(kubectl: Kubectl, overlays: readonly string[]): Promise<void> {
  const found = await itemsOf(kubectl, ["get", "namespace", NAMESPACE, TOOLS_NAMESPACE, SYSTEM_NAMESPACE]);
  for (const overlay of overlays) {
    const manifests = await kubectl(["kustomize", overlay]);
    found.push(...(await itemsOf(kubectl, ["get", "-f", "-"], manifests)));
  }
  const foreign = found
    .filter(({ metadata }) => metadata.namespace === undefined && metadata.labels?.[LABEL] !== VALUE)
    .map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  if (foreign.length === 0) return;
  throw new Error(
    [
      "this cluster has objects of these names that the demo did not make, and it touches only its own:",
      ...[...new Set(foreign)].map((name) => `  - ${name}`),
      "Use another cluster, or remove them if you know that nobody needs them.",
    ].join("\n"),
  );
}

/** What the demo made on the cluster, as `kind/name`; empty when it is not there. */
export async function madeByUs(kubectl: Kubectl): Promise<readonly string[]> {
  const found = await itemsOf(kubectl, ["get", CLUSTER_WIDE, "-l", OURS_SELECTOR]);
  return found.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`);
}

/** Objects of our kinds outside the demo's namespace, which would go with the CRDs: somebody began to use them. */
export async function usedElsewhere(kubectl: Kubectl): Promise<readonly string[]> {
  const kinds = ["rollbackpolicies", "rollbackrequests", "rollbackledgers"].map((kind) => `${kind}.${GROUP}`);
  const answer = await kubectl.attempt(["get", kinds.join(","), "-A", "-o", "json"]);
  if (answer.code !== 0) {
    if (answer.stderr.includes("doesn't have a resource type")) return [];
    throw new Error(`cannot tell whether the operator's kinds are in use: ${answer.stderr.trim()}`);
  }
  return (JSON.parse(answer.stdout) as { readonly items: readonly Item[] }).items
    .filter(({ metadata }) => metadata.namespace !== NAMESPACE)
    .map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
}

async function itemsOf(kubectl: Kubectl, args: readonly string[], input?: string): Promise<Item[]> {
  const text = await kubectl([...args, "--ignore-not-found", "-o", "json"], input);
  if (text.trim() === "") return [];
  const found = JSON.parse(text) as Item & { readonly items?: Item[] };
  return found.items ?? [found];
}
