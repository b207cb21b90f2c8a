import { spawn } from "node:child_process";
import { ensureBinaries } from "../cluster/binaries.ts";

export interface KubectlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Kubectl {
  /** Runs kubectl; rejects with its standard error when it fails. */
  (args: readonly string[], input?: string): Promise<string>;
  /** Runs kubectl and tells how it ended, whatever that is. */
  attempt(args: readonly string[], input?: string): Promise<KubectlResult>;
}

/** The real kubectl of the cluster's version, as its administrator. */
export async function kubectlFor(kubeconfigPath: string, prefix: readonly string[] = []): Promise<Kubectl> {
  const { kubectl } = await ensureBinaries(["kubectl"]);
  return kubectlWith([...prefix, kubectl, "--kubeconfig", kubeconfigPath]);
}

/** A kubectl that is called by this command. */
export function kubectlWith(command: readonly string[]): Kubectl {
  const attempt = (args: readonly string[], input?: string) => run([...command, ...args], input);
  const call = async (args: readonly string[], input?: string) => {
    const { code, stdout, stderr } = await attempt(args, input);
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr.trim()}`);
    return stdout;
  };
  return Object.assign(call, { attempt });
}

function run(command: readonly string[], input: string | undefined): Promise<KubectlResult> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
    child.stdin.end(input);
  });
}
