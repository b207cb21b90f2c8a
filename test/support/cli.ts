import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { ensureBinaries } from "../cluster/binaries.ts";
import type { World } from "./world.ts";

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Cli {
  /** Runs bin/kubectl-rollback to its end. */
  (...args: readonly string[]): Promise<CliResult>;
  readonly kubeconfig: string;
  /** The user's name as the API server knows it. */
  readonly user: string;
}

const PEOPLE = "people";

/** A user without rights, but for the Role of docs/cli.md in the given namespaces, and the command line as that user. */
export async function userOf(world: World, name: string, namespaces: readonly string[]): Promise<Cli> {
  const { kubectl, controlPlane } = world;
  await kubectl.attempt(["create", "namespace", PEOPLE]);
  await kubectl(["create", "serviceaccount", name, "-n", PEOPLE]);
  for (const namespace of namespaces) await grantRole(world, name, namespace);
  const token = (await kubectl(["create", "token", name, "-n", PEOPLE, "--duration=1h"])).trim();
  const kubeconfig = join(controlPlane.dir, `${name}.kubeconfig`);
  await writeFile(kubeconfig, kubeconfigText(world, token, namespaces[0] ?? "default"), { mode: 0o600 });
  const run = (...args: readonly string[]) => runCli(args, kubeconfig);
  return Object.assign(run, { kubeconfig, user: `system:serviceaccount:${PEOPLE}:${name}` });
}

async function grantRole({ kubectl }: World, name: string, namespace: string): Promise<void> {
  await kubectl(["apply", "-n", namespace, "-f", "-"], await documentedRole());
  const binding = ["create", "rolebinding", `requester-${name}`, "-n", namespace];
  await kubectl([...binding, "--role=rollback-requester", `--serviceaccount=${PEOPLE}:${name}`]);
}

/** The Role as the documentation prints it: what users copy is what is tested. */
async function documentedRole(): Promise<string> {
  const page = await readFile("docs/cli.md", "utf8");
  const blocks = [...page.matchAll(/```yaml\n([^`]+)```/g)].map(([, text = ""]) => text);
  const role = blocks.find((text) => (parse(text) as { readonly kind?: string }).kind === "Role");
  if (role === undefined) throw new Error("docs/cli.md holds no Role");
  return role;
}

function kubeconfigText({ controlPlane }: World, token: string, namespace: string): string {
  const { server, caData } = controlPlane;
  const ca = Buffer.from(caData).toString("base64");
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server, "certificate-authority-data": ca } }],
    users: [{ name: "u", user: { token } }],
    contexts: [{ name: "c", context: { cluster: "c", user: "u", namespace } }],
    "current-context": "c",
  });
}

export interface CliProcess {
  readonly ended: Promise<CliResult>;
  /** What it has printed so far. */
  stdout(): string;
  kill(signal: NodeJS.Signals): void;
}

export function startCli(args: readonly string[], kubeconfig: string): CliProcess {
  return startProgram("bin/kubectl-rollback", args, { ...process.env, KUBECONFIG: kubeconfig });
}

function startProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv): CliProcess {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<CliResult>((settle, reject) => {
    child.on("error", reject);
    child.on("close", (code) => settle({ code: code ?? -1, stdout, stderr }));
  });
  return { ended, stdout: () => stdout, kill: (signal) => void child.kill(signal) };
}

/** The real kubectl with bin/ in its PATH, where it finds its plugins. */
export async function kubectlWithPlugins(args: readonly string[], kubeconfig: string): Promise<CliResult> {
  const { kubectl } = await ensureBinaries(["kubectl"]);
  return startProgram(kubectl, args, {
    ...process.env,
    KUBECONFIG: kubeconfig,
    PATH: `${resolve("bin")}:${process.env["PATH"]}`,
  }).ended;
}

function runCli(args: readonly string[], kubeconfig: string): Promise<CliResult> {
  return startCli(args, kubeconfig).ended;
}
