import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Kubectl } from "../support/kubectl.ts";
import { type Overlay, writeOverlay } from "./overlay.ts";
import { awaitEstablished } from "../support/established.ts";

export const SYSTEM_NAMESPACE = "rollback-system";

const BUNDLE = "dist/rollback-operator.mjs";
const PODS = ["-n", SYSTEM_NAMESPACE, "-l", "app.kubernetes.io/name=rollback-operator"];

export interface OperatorInstallation {
  readonly kubectl: Kubectl;
  /** Folder for the overlays. */
  readonly dir: string;
  /** Prometheus as the operator's pods reach it. */
  readonly prometheusUrl: string;
  /** Put on every object. */
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * Installs the operator as docs/install.md says: CRDs, then the manifests through an overlay that names the Prometheus.
 * Resolves when both replicas are ready. Pods of an earlier run stay when neither program nor configuration changed.
 */
export async function installOperatorPods(installation: OperatorInstallation): Promise<void> {
  const { kubectl, dir, labels } = installation;
  const crds: Overlay = { resources: ["deploy/crds"], ...(labels && { labels }) };
  await kubectl(["apply", "-k", await writeOverlay(join(dir, "crds"), crds)]);
  await awaitEstablished(kubectl, ["-f", "deploy/crds"]);
  const operator = await operatorOverlay(installation);
  await kubectl(["apply", "-k", await writeOverlay(join(dir, "operator"), operator)]);
  const rollout = ["rollout", "status", "-n", SYSTEM_NAMESPACE, "deployment/rollback-operator"];
  const { code } = await kubectl.attempt([...rollout, "--timeout=120s"]);
  if (code !== 0) throw new Error(`the operator's pods do not start:\n${await complaintsOf(kubectl)}`);
}

async function operatorOverlay({ prometheusUrl, labels }: OperatorInstallation): Promise<Overlay> {
  const config = operatorConfig(prometheusUrl);
  const digest = createHash("sha256")
    .update(await readFile(BUNDLE))
    .update(config);
  return {
    resources: ["deploy/manifests"],
    ...(labels && { labels }),
    patches: [
      {
        kind: "ConfigMap",
        name: "rollback-operator",
        operations: [{ op: "replace", path: "/data/operator.yaml", value: config }],
      },
      {
        kind: "Deployment",
        name: "rollback-operator",
        // The image's tag stays the same from build to build, and a mounted file is not read again.
        operations: [
          {
            op: "add",
            path: "/spec/template/metadata/annotations/rollback-demo~1content",
            value: digest.digest("hex").slice(0, 16),
          },
        ],
      },
    ],
  };
}

function operatorConfig(prometheusUrl: string): string {
  return `namespace: ${SYSTEM_NAMESPACE}
prometheus:
  servers:
    - { name: default, url: "${prometheusUrl}", scrapeInterval: 1s, minimumInterval: 1s, namespaceLabel: namespace }
`;
}

async function complaintsOf(kubectl: Kubectl): Promise<string> {
  const pods = await kubectl.attempt(["get", "pods", ...PODS, "-o", "wide"]);
  const logs = await kubectl.attempt(["logs", ...PODS, "--tail=10"]);
  return [pods.stdout, pods.stderr, logs.stdout, logs.stderr].join("");
}
