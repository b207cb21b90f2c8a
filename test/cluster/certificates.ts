import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "./run-command.ts";

export interface CertificateFiles {
  readonly caCert: string;
  readonly caKey: string;
  /** What the API server shows. */
  readonly serverCert: string;
  readonly serverKey: string;
  /** With what the API server calls the kubelet (logs, exec). */
  readonly kubeletClientCert: string;
  readonly kubeletClientKey: string;
  readonly serviceAccountKey: string;
  readonly serviceAccountPublicKey: string;
}

/** Where the files of a control plane lie. */
export function certificateFiles(folder: string): CertificateFiles {
  const at = (name: string): string => join(folder, name);
  return {
    caCert: at("ca.crt"),
    caKey: at("ca.key"),
    serverCert: at("apiserver.crt"),
    serverKey: at("apiserver.key"),
    kubeletClientCert: at("kubelet-client.crt"),
    kubeletClientKey: at("kubelet-client.key"),
    serviceAccountKey: at("service-account.key"),
    serviceAccountPublicKey: at("service-account.pub"),
  };
}

/** Writes an authority, the API server's certificate for `addresses`, and the service-account key pair. */
export async function writeCertificates(
  folder: string,
  addresses: readonly string[],
): Promise<CertificateFiles> {
  const files = certificateFiles(folder);
  // Elliptic keys: made in a millisecond, an RSA key may take a second.
  const keys = [files.caKey, files.serverKey, files.kubeletClientKey];
  await Promise.all([
    ...keys.map((path) => writeKeyPair(path)),
    writeKeyPair(files.serviceAccountKey, files.serviceAccountPublicKey),
  ]);

  const newCertificate = ["openssl", "req", "-x509", "-days", "3650", "-sha256"];
  await runCommand([
    ...newCertificate,
    "-key",
    files.caKey,
    "-out",
    files.caCert,
    "-subj",
    "/CN=rollback-operator-test-ca",
  ]);
  const signed = [
    ...newCertificate,
    "-CA",
    files.caCert,
    "-CAkey",
    files.caKey,
    "-addext",
    "basicConstraints=critical,CA:FALSE",
  ];
  const names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"].map(
    (name) => `DNS:${name}`,
  );
  const alternatives = [...names, ...addresses.map((address) => `IP:${address}`)].join(",");
  await Promise.all([
    runCommand([
      ...signed,
      ..."-subj /CN=kube-apiserver -addext extendedKeyUsage=serverAuth".split(" "),
      "-addext",
      `subjectAltName=${alternatives}`,
      "-key",
      files.serverKey,
      "-out",
      files.serverCert,
    ]),
    runCommand([
      ...signed,
      ..."-subj /O=system:masters/CN=kube-apiserver-kubelet-client -addext extendedKeyUsage=clientAuth".split(
        " ",
      ),
      "-key",
      files.kubeletClientKey,
      "-out",
      files.kubeletClientCert,
    ]),
  ]);
  return files;
}

async function writeKeyPair(privatePath: string, publicPath?: string): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  await writeFile(privatePath, privateKey, { mode: 0o600 });
  if (publicPath !== undefined) await writeFile(publicPath, publicKey);
}
