import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { AdminAccess } from "../cluster/components.ts";
import { clustersFolder } from "../cluster/cluster-layout.ts";

/** Where the demo of one cluster keeps its things: below the cluster's folder, so that they go with it. */
export interface DemoLayout {
  readonly name: string;
  readonly dir: string;
  readonly stageFile: string;
  /** Targets that Prometheus scrapes, written by the lister. */
  readonly targetsFile: string;
  /** What the gateway shows to the API server, and what it knows that by. */
  readonly tokenFile: string;
  readonly caFile: string;
  readonly prometheusConfig: string;
  readonly prometheusData: string;
  /** One line a second by the traffic generator. */
  readonly trafficLog: string;
  /** What the story saw, for tests. */
  readonly sightingsFile: string;
  /** The kubectl that reaches the cluster, as the user calls it. */
  readonly kubectl: string;
  /** The command that ends the demo. */
  readonly down: string;
  /** Where the demo's processes say what went wrong. */
  readonly logs: string;
  /** On a cluster of the user's own: its context in the user's kubeconfig. */
  readonly context?: string;
}

/** What the story needs to know of the cluster; readable by root only, for it holds a token. */
export interface Stage extends AdminAccess {
  readonly name: string;
  readonly kubeconfigPath: string;
}

/** A version of the sample application. */
export interface Release {
  readonly version: string;
  readonly image: string;
  /** Share of its requests that fail. */
  readonly failRatio: number;
}

export const NAMESPACE = "demo";
/** On a cluster of the user's own: Prometheus and the traffic. */
export const TOOLS_NAMESPACE = "demo-tools";
/** Says of an object that the demo made it, and may remove it. */
export const OURS = { "app.kubernetes.io/managed-by": "rollback-demo" } as const;
export const DEPLOYMENT = "web";
export const POLICY = "web";
export const ROUTE = "web";
/** Deployment and Service of the canary. */
export const CANARY = "web-canary";
/** ConfigMap that the sample application reads when it starts. */
export const SETTINGS = "web-settings";
/** Processes that run beside the cluster, in the order in which they are ended. */
export const PROCESSES = ["traffic", "gateway", "lister", "prometheus"] as const;
export type DemoProcess = (typeof PROCESSES)[number];

export const FILES = {
  application: "examples/demo/application.yaml",
  executor: "examples/executor.yaml",
  rights: "examples/demo/rights.yaml",
  route: "examples/demo/route.yaml",
  policy: "examples/demo/policy.yaml",
  undo: "examples/demo/undo.yaml",
  canary: "examples/demo/canary.yaml",
  canaryRoute: "examples/demo/canary-route.yaml",
  undoRelease: "examples/demo/undo-release.yaml",
} as const;

export const GOOD = release("v1.0.0", 0);
export const BAD = release("v1.1.0", 0.3);
export const BAD_AGAIN = release("v1.2.0", 0.2);
/** Comes as a canary first, then with other settings, then into the Deployment. */
export const BAD_EVERYWHERE = release("v1.3.0", 0.25);
export const RELEASES: readonly Release[] = [GOOD, BAD, BAD_AGAIN, BAD_EVERYWHERE];

export const REQUESTS_PER_SECOND = 20;
/** In the cluster's network namespace, which nobody else is in: ports are free. Pods use the node's address. */
export const PROMETHEUS_PORT = 9090;
export const GATEWAY_PORT = 8080;

export function demoLayout(name: string): DemoLayout {
  const dir = join(clustersFolder(), name, "demo");
  return {
    ...layoutAt(dir, name),
    kubectl: name === "demo" ? "build/kubectl" : `build/kubectl-${name}`,
    down: name === "demo" ? "make demo-down" : `node test/demo/main.mts down --name ${name}`,
    logs: `${dir}/*.log`,
  };
}

/** The demo on a cluster of the user's own; its folder holds nothing that the cluster needs. */
export function contextLayout(context: string): DemoLayout {
  // A context may hold any letter, such as the "/" and ":" of a cloud's resource name.
  const name = `${context.replaceAll(/[^A-Za-z0-9.-]/g, "_")}-${createHash("sha256").update(context).digest("hex").slice(0, 8)}`;
  const kubectl = `kubectl --context ${context}`;
  const dir = join(dirname(clustersFolder()), "contexts", name);
  return {
    ...layoutAt(dir, name),
    kubectl,
    down: `make demo-down CLUSTER_CONTEXT=${context}`,
    logs: `${kubectl} logs -n ${TOOLS_NAMESPACE} deployment/prometheus --all-containers`,
    context,
  };
}

export function readStage(path: string): Stage {
  return JSON.parse(readFileSync(path, "utf8")) as Stage;
}

function layoutAt(dir: string, name: string): Omit<DemoLayout, "kubectl" | "down" | "logs"> {
  return {
    name,
    dir,
    stageFile: join(dir, "stage.json"),
    targetsFile: join(dir, "targets.json"),
    tokenFile: join(dir, "token"),
    caFile: join(dir, "ca.crt"),
    prometheusConfig: join(dir, "prometheus.yml"),
    prometheusData: join(dir, "prometheus-data"),
    trafficLog: join(dir, "traffic.jsonl"),
    sightingsFile: join(dir, "sightings.json"),
  };
}

function release(version: string, failRatio: number): Release {
  return { version, image: `localhost/web:${version}`, failRatio };
}
