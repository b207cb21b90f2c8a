/**
 * The demo's own gateway, since its cluster has no other: passes each request to one of the Services of an HTTPRoute, by
 * the weights of its first rule, and says in the route's status which generation it goes by. Everything else that routes
 * can say it leaves alone. Nothing but Node is in its image.
 *
 *   node gateway.mts API_SERVER TOKEN_FILE NAMESPACE ROUTE ADDRESS PORT
 */
import { readFileSync } from "node:fs";
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

interface Route {
  readonly metadata: { readonly generation: number };
  readonly spec: {
    readonly parentRefs?: readonly unknown[];
    readonly rules?: readonly {
      readonly backendRefs?: readonly {
        readonly name: string;
        readonly port: number;
        readonly weight?: number;
      }[];
    }[];
  };
  readonly status?: {
    readonly parents?: readonly {
      readonly conditions?: readonly { readonly observedGeneration?: number }[];
    }[];
  };
}

interface Backend {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly weight: number;
  /** How much it has to come of its share; the one with most is next. */
  due: number;
}

const CONTROLLER = "demo.rollback.llm-research-lab.io/gateway";
const AGAIN_MS = 200;

const [apiServer = "", tokenFile = "", namespace = "", route = "", address = "", port = ""] =
  process.argv.slice(2);
const routes = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes`;
const addresses = new Map<string, string>();
let backends: readonly Backend[] = [];

createServer(pass).listen(Number(port), address);
for (;;) {
  try {
    await follow();
  } catch (error) {
    // What is known of the route goes on; a Service that is not there yet is looked for again.
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
  await sleep(AGAIN_MS);
}

function pass(incoming: IncomingMessage, response: ServerResponse): void {
  const backend = next();
  if (backend === undefined) {
    response.writeHead(503).end("the route names no Service\n");
    return;
  }
  const { url: path = "/", method, headers } = incoming;
  const options = { host: backend.host, port: backend.port, path, method, headers, agent: false };
  const passed = request(options, (answer) => {
    response.writeHead(answer.statusCode ?? 502, { ...answer.headers, "x-backend": backend.name });
    answer.pipe(response);
  });
  passed.once("error", () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502, { "x-backend": backend.name }).end("no answer\n");
  });
  incoming.pipe(passed);
}

/** In turn and exactly by weight: a dice would make the demo's numbers differ from run to run. */
function next(): Backend | undefined {
  const able = backends.filter(({ weight }) => weight > 0);
  for (const backend of able) backend.due += backend.weight;
  const [chosen] = able.toSorted((a, b) => b.due - a.due);
  if (chosen !== undefined) chosen.due -= able.reduce((sum, { weight }) => sum + weight, 0);
  return chosen;
}

/** The route as it is, then each change, until the server ends the watch. */
async function follow(): Promise<void> {
  const { body } = await call(`${routes}?watch=true&fieldSelector=metadata.name%3D${route}`);
  if (body === null) return;
  for await (const line of createInterface({ input: Readable.fromWeb(body) })) {
    const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: Route };
    if (type === "ADDED" || type === "MODIFIED") await takeUp(object);
  }
}

async function takeUp({ metadata, spec, status }: Route): Promise<void> {
  const [rule] = spec.rules ?? [];
  backends = await Promise.all(
    (rule?.backendRefs ?? []).map(async ({ name, port, weight = 1 }) => {
      return { name, host: await addressOf(name), port, weight, due: 0 };
    }),
  );
  const told = status?.parents?.[0]?.conditions ?? [];
  if (told.some(({ observedGeneration }) => observedGeneration === metadata.generation)) return;
  const conditions = ["Accepted", "ResolvedRefs"].map((type) => ({
    type,
    status: "True",
    reason: type,
    message: "requests go by these weights",
    observedGeneration: metadata.generation,
    lastTransitionTime: new Date().toISOString(),
  }));
  const [parentRef] = spec.parentRefs ?? [];
  const parents = [{ parentRef, controllerName: CONTROLLER, conditions }];
  await call(`${routes}/${route}/status`, { status: { parents } });
}

/** Of a Service, by number: the cluster need not have DNS. */
async function addressOf(service: string): Promise<string> {
  const known = addresses.get(service);
  if (known !== undefined) return known;
  const answer = await call(`/api/v1/namespaces/${namespace}/services/${service}`);
  const { spec } = (await answer.json()) as { readonly spec: { readonly clusterIP: string } };
  addresses.set(service, spec.clusterIP);
  return spec.clusterIP;
}

/** `mergePatch`: the change to make, instead of a look. */
async function call(path: string, mergePatch?: object): Promise<Response> {
  // The kubelet renews the token.
  const authorization = `Bearer ${readFileSync(tokenFile, "utf8").trim()}`;
  const headers = { authorization, "content-type": "application/merge-patch+json" };
  const change = mergePatch === undefined ? {} : { method: "PATCH", body: JSON.stringify(mergePatch) };
  const response = await fetch(`${apiServer}${path}`, { headers, ...change });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}
