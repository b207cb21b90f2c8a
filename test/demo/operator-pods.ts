import { createHash } from "node:crypto";
import { mkdir, readFile, realpath, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Kubectl } from "../support/kubectl.ts";

export const SYSTEM_NAMESPACE = "rollback-system";
/** What `make image` packs; deploy/manifests names it without registry. */
export const OPERATOR_IMAGE = "docker.io/library/rollback-operator:dev";

const MANIFESTS = "deploy/manifests";
const BUNDLE = "dist/rollback-operator.mjs";

export interface OperatorInstallation {
  readonly kubectl: Kubectl;
  /** Folder for the overlay. */
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
  const { kubectl } = installation;
  await kubectl(["apply", "-f", "deploy/crds"]);
  await kubectl(["wait", "--for=condition=Established", "--timeout=30s", "-f", "deploy/crds"]);
  await kubectl(["apply", "-k", await writeOverlay(installation)]);
  const rollout = await kubectl.attempt([
    "rollout",
    "status",
    "-n",
    SYSTEM_NAMESPACE,
    "deployment/rollback-operator",
    "--timeout=120s",
  ]);
  if (rollout.code !== 0) throw new Error(`the operator's pods do not start:\n${await podsOf(kubectl)}`);
}

/** Writes the overlay and returns its folder. */
export async function writeOverlay(installation: Omit<OperatorInstallation, "kubectl">): Promise<string> {
  const folder = join(installation.dir, "overlay");
  await mkdir(folder, { recursive: true });
  const config = operatorConfig(installation.prometheusUrl);
  const base = relative(await realpath(folder), await realpath(MANIFESTS));
  const overlay = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [base],
    ...(installation.labels && { labels: [{ pairs: installation.labels }] }),
    patches: [
      {
        target: { kind: "ConfigMap", name: "rollback-operator" },
        patch: JSON.stringify([{ op: "replace", path: "/data/operator.yaml", value: config }]),
      },
      {
        target: { kind: "Deployment", name: "rollback-operator" },
        // The image's tag stays the same from build to build, and a mounted file is not read again.
        patch: JSON.stringify([
          {
            op: "add",
            path: "/spec/template/metadata/annotations/rollback-demo~1content",
            value: createHash("sha256")
              .update(await readFile(BUNDLE))
              .update(config)
              .digest("hex")
              .slice(0, 16),
          },
        ]),
      },
    ],
  };
  await writeFile(join(folder, "kustomization.yaml"), JSON.stringify(overlay, undefined, 2));
  return folder;
}

function operatorConfig(prometheusUrl: string): string {
  return `namespace: ${SYSTEM_NAMESPACE}
prometheus:
  servers:
    - { name: default, url: "${prometheusUrl}", scrapeInterval: 1s, minimumInterval: 1s, namespaceLabel: namespace }
`;
}

async function podsOf(kubectl: Kubectl): Promise<string> {
  const { stdout, stderr } = await kubectl.attempt(["get", "pods", "-n", SYSTEM_NAMESPACE, "-o", "wide"]);
  const logs = await kubectl.attempt([
    "logs",
    "-n",
    SYSTEM_NAMESPACE,
    "-l",
    "app.kubernetes.io/name=rollback-operator",
    "--tail=10",
  ]);
  return `${stdout}${stderr}${logs.stdout}${logs.stderr}`;
}
