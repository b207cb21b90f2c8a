import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterBinary } from "./binaries.ts";
import { type CertificateFiles, certificateFiles, writeCertificates } from "./certificates.ts";

/** A process of the control plane: its name is that of its log and pid file. */
export interface Component {
  readonly name: ClusterBinary;
  readonly args: readonly string[];
}

export interface Addresses {
  /** Where clients reach the API server. */
  readonly apiHost: string;
  readonly apiPort: number;
  readonly etcdClientPort: number;
  readonly etcdPeerPort: number;
  /** Service addresses; the first one becomes that of `kubernetes.default`. */
  readonly serviceCidr: string;
  readonly podCidr: string;
}

export interface ControlPlaneFiles {
  readonly dir: string;
  readonly certificates: CertificateFiles;
  readonly tokens: string;
  readonly auditPolicy: string;
  readonly auditLog: string;
  readonly kubeconfig: string;
  readonly etcdData: string;
}

export interface AdminAccess {
  readonly server: string;
  /** PEM of the authority. */
  readonly caData: string;
  readonly adminToken: string;
}

/** Every write once, at its end; those of our own kinds with bodies, so that a test sees what was sent. */
const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  omitManagedFields: true,
  rules: [
    {
      level: "RequestResponse",
      verbs: ["create", "update", "patch", "delete", "deletecollection"],
      resources: [{ group: "rollback.llm-research-lab.io" }],
    },
    { level: "Metadata", verbs: ["create", "update", "patch", "delete", "deletecollection"] },
    { level: "None" },
  ],
};

export function controlPlaneFiles(dir: string): ControlPlaneFiles {
  return {
    dir,
    certificates: certificateFiles(dir),
    tokens: join(dir, "tokens.csv"),
    auditPolicy: join(dir, "audit-policy.yaml"),
    auditLog: join(dir, "audit.log"),
    kubeconfig: join(dir, "kubeconfig"),
    etcdData: join(dir, "etcd"),
  };
}

/** Writes what the components read: keys, tokens, audit policy, the administrator's kubeconfig. */
export async function writeControlPlaneFiles(
  files: ControlPlaneFiles,
  addresses: Addresses,
): Promise<AdminAccess> {
  await mkdir(files.dir, { recursive: true });
  const adminToken = randomBytes(24).toString("hex");
  await writeCertificates(files.dir, ["127.0.0.1", addresses.apiHost, firstAddress(addresses.serviceCidr)]);
  await writeFile(files.tokens, `${adminToken},admin,admin,system:masters\n`, { mode: 0o600 });
  await writeFile(files.auditPolicy, JSON.stringify(AUDIT_POLICY));
  await writeFile(files.auditLog, "");
  return {
    server: serverUrl(addresses),
    caData: await readFile(files.certificates.caCert, "utf8"),
    adminToken,
  };
}

export function serverUrl({ apiHost, apiPort }: Addresses): string {
  return `https://${apiHost}:${apiPort}`;
}

/** JSON is YAML: a kubeconfig for one user. */
export function kubeconfig(
  access: { readonly server: string; readonly caData: string },
  token: string,
): string {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "test",
        cluster: {
          server: access.server,
          "certificate-authority-data": Buffer.from(access.caData).toString("base64"),
        },
      },
    ],
    users: [{ name: "test", user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

export function etcd(files: ControlPlaneFiles, addresses: Addresses): Component {
  const client = `http://127.0.0.1:${addresses.etcdClientPort}`;
  const peer = `http://127.0.0.1:${addresses.etcdPeerPort}`;
  return {
    name: "etcd",
    args: [
      `--data-dir=${files.etcdData}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      // The data does not outlive the cluster.
      "--unsafe-no-fsync",
      "--log-level=warn",
    ],
  };
}

export function apiServer(
  files: ControlPlaneFiles,
  addresses: Addresses,
  extra: readonly string[] = [],
): Component {
  const keys = files.certificates;
  return {
    name: "kube-apiserver",
    args: [
      `--etcd-servers=http://127.0.0.1:${addresses.etcdClientPort}`,
      `--bind-address=${addresses.apiHost === "127.0.0.1" ? "127.0.0.1" : "0.0.0.0"}`,
      `--secure-port=${addresses.apiPort}`,
      `--advertise-address=${addresses.apiHost}`,
      // A loopback address may not stand in Endpoints: without a node nobody needs the Service.
      `--endpoint-reconciler-type=${addresses.apiHost === "127.0.0.1" ? "none" : "lease"}`,
      `--tls-cert-file=${keys.serverCert}`,
      `--tls-private-key-file=${keys.serverKey}`,
      `--client-ca-file=${keys.caCert}`,
      `--kubelet-client-certificate=${keys.kubeletClientCert}`,
      `--kubelet-client-key=${keys.kubeletClientKey}`,
      "--kubelet-preferred-address-types=InternalIP",
      `--service-account-key-file=${keys.serviceAccountPublicKey}`,
      `--service-account-signing-key-file=${keys.serviceAccountKey}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-cluster-ip-range=${addresses.serviceCidr}`,
      `--token-auth-file=${files.tokens}`,
      "--authorization-mode=Node,RBAC",
      "--allow-privileged=true",
      `--audit-policy-file=${files.auditPolicy}`,
      `--audit-log-path=${files.auditLog}`,
      // Written before the answer is complete, and never rotated away (megabytes).
      "--audit-log-mode=blocking",
      "--audit-log-maxsize=10000",
      ...extra,
    ],
  };
}

export function controllerManager(
  files: ControlPlaneFiles,
  addresses: Addresses,
  extra: readonly string[] = [],
): Component {
  return {
    name: "kube-controller-manager",
    args: [
      `--kubeconfig=${files.kubeconfig}`,
      `--service-account-private-key-file=${files.certificates.serviceAccountKey}`,
      `--root-ca-file=${files.certificates.caCert}`,
      "--use-service-account-credentials=true",
      "--leader-elect=false",
      "--secure-port=0",
      `--cluster-cidr=${addresses.podCidr}`,
      "--allocate-node-cidrs=false",
      // The default of 20 requests a second makes the start three seconds longer.
      "--kube-api-qps=500",
      "--kube-api-burst=1000",
      ...extra,
    ],
  };
}

export function firstAddress(cidr: string): string {
  const [base = ""] = cidr.split("/");
  const bytes = base.split(".").map(Number);
  return [...bytes.slice(0, 3), (bytes[3] ?? 0) + 1].join(".");
}
