import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { goModuleFolder } from "../cluster/go-module.ts";
import type { Kubectl } from "./kubectl.ts";
import { awaitEstablished } from "./established.ts";

const ISTIO = ["virtualservices.networking.istio.io", "destinationrules.networking.istio.io"];
const GATEWAY = ["httproutes", "grpcroutes"];

/** Installs the real kinds of routes, out of their pinned Go modules: Istio's and the Gateway API's, no controllers. */
export async function installRouteCrds(kubectl: Kubectl): Promise<void> {
  const [istio, gateway] = await Promise.all([
    goModuleFolder("istio.io/api"),
    goModuleFolder("sigs.k8s.io/gateway-api"),
  ]);
  const all = await readFile(join(istio, "kubernetes/customresourcedefinitions.gen.yaml"), "utf8");
  const crds = parseAllDocuments(all)
    .map((document) => document.toJS() as { readonly metadata?: { readonly name?: string } } | null)
    .filter((crd) => ISTIO.includes(crd?.metadata?.name ?? ""));
  const files = GATEWAY.map((plural) =>
    readFile(join(gateway, `config/crd/standard/gateway.networking.k8s.io_${plural}.yaml`), "utf8"),
  );
  // Their descriptions are longer than what an annotation of kubectl's can hold.
  await kubectl(
    ["apply", "--server-side", "-f", "-"],
    [...crds.map((crd) => JSON.stringify(crd)), ...(await Promise.all(files))].join("\n---\n"),
  );
  const names = [...ISTIO, ...GATEWAY.map((plural) => `${plural}.gateway.networking.k8s.io`)];
  await awaitEstablished(
    kubectl,
    names.map((name) => `crd/${name}`),
  );
}
