/**
 * Service discovery for a Prometheus that was built without Kubernetes, as a pod: answers http_sd requests with the
 * pods of a namespace that ask to be scraped. Nothing but Node is in its image.
 *
 *   node pod-targets.mts NAMESPACE PORT
 */
import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { Pod } from "../../../src/kube/well-known.ts";
import { scrapeTarget } from "./scrape-target.ts";

const TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const { KUBERNETES_SERVICE_HOST: host = "", KUBERNETES_SERVICE_PORT: apiPort = "443" } = process.env;
const [namespace = "", port = ""] = process.argv.slice(2);
const server = host.includes(":") ? `[${host}]` : host;
const url = `https://${server}:${apiPort}/api/v1/namespaces/${namespace}/pods`;

createServer((_request, response) => void answer(response)).listen(Number(port), "127.0.0.1");

async function answer(response: ServerResponse): Promise<void> {
  try {
    const targets = (await pods()).map(scrapeTarget).filter((target) => target !== undefined);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(targets));
  } catch (error) {
    // Prometheus then keeps the targets that it has.
    response.statusCode = 503;
    response.end(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}

async function pods(): Promise<readonly Pod[]> {
  // The kubelet renews the token.
  const headers = { authorization: `Bearer ${readFileSync(TOKEN, "utf8").trim()}` };
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return ((await response.json()) as { readonly items: readonly Pod[] }).items;
}
