import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { goModuleFolder } from "../cluster/go-module.ts";
import type { Kubectl } from "./kubectl.ts";
import { awaitEstablished } from "./established.ts";

const ISTIO = ["virtualservices.networking.istio.io", "destinationrules.networking.istio.io"];
const GROUP = "gateway.networking.k8s.io";
const GATEWAY = ["httproutes", "grpcroutes"];

/** Installs the real kinds of routes, out of their pinned Go modules: Istio's and the Gateway API's, no controllers. */
export async function installRouteCrds(kubectl: Kubectl): Promise<void> {
  const [istio, gateway] = await Promise.all([goModuleFolder("istio.io/api"), gatewayCrds(GATEWAY)]);
  const all = await readFile(join(istio, "kubernetes/customresourcedefinitions.gen.yaml"), "utf8");
  const crds = parseAllDocuments(all)
    .map((document) => document.toJS() as { readonly metadata?: { readonly name?: string } } | null)
    .filter((crd) => ISTIO.includes(crd?.metadata?.name ?? ""));
  await install(
    kubectl,
    [...ISTIO, ...GATEWAY.map(gatewayName)],
    [...crds.map((crd) => JSON.stringify(crd)), ...gateway],
  );
}

/** The Gateway API's HTTPRoute alone. */
export async function installHttpRoutes(kubectl: Kubectl): Promise<void> {
  await install(kubectl, [gatewayName("httproutes")], await gatewayCrds(["httproutes"]));
}

async function gatewayCrds(plurals: readonly string[]): Promise<readonly string[]> {
  const folder = await goModuleFolder("sigs.k8s.io/gateway-api");
  return Promise.all(
    plurals.map((plural) => readFile(join(folder, `config/crd/standard/${GROUP}_${plural}.yaml`), "utf8")),
  );
}

function gatewayName(plural: string): string {
  return `${plural}.${GROUP}`;
}

async function install(kubectl: Kubectl, names: readonly string[], crds: readonly string[]): Promise<void> {
  // Their descriptions are longer than what an annotation of kubectl's can hold.
  await kubectl(["apply", "--server-side", "-f", "-"], crds.join("\n---\n"));
  await awaitEstablished(
    kubectl,
    names.map((name) => `crd/${name}`),
  );
}
