import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { parse } from "yaml";
import { ARGO_CD, ensureBinaries } from "../cluster/binaries.ts";
import { tryCommand, type CommandResult } from "../cluster/run-command.ts";
import type { Kubectl } from "./kubectl.ts";

export interface Health {
  readonly status: string;
  readonly message: string;
}

/** Our Lua in Argo CD's own engine, with the settings that a user's kustomization with our component gives. */
export interface LuaEngine {
  health(object: object): Promise<Health>;
  /** Names of the actions that it offers. */
  actions(object: object): Promise<readonly string[]>;
  /** The object as the action changes it. Rejects with what the script said. */
  run(object: object, action: string, parameters?: Readonly<Record<string, string>>): Promise<object>;
  close(): Promise<void>;
}

/** `components`: such as deploy/argo-cd. */
export async function openLuaEngine(kubectl: Kubectl, ...components: readonly string[]): Promise<LuaEngine> {
  const { argocd } = await ensureBinaries([ARGO_CD]);
  // Below the repository: a kustomization reaches its components by relative paths only.
  await mkdir("build", { recursive: true });
  const dir = await mkdtemp(join("build", "argo-cd-lua-"));
  const close = () => rm(dir, { recursive: true, force: true });
  const settings = join(dir, "argocd-cm.yaml");
  try {
    await writeFile(settings, await kustomized(kubectl, dir, components));
  } catch (error) {
    await close();
    throw error;
  }
  let ordinal = 0;

  async function overrides(command: readonly string[], object: object): Promise<CommandResult> {
    const file = join(dir, `object-${(ordinal += 1)}.json`);
    await writeFile(file, JSON.stringify(object));
    const [verb = "", ...args] = command;
    return tryCommand(
      [argocd, "admin", "settings", "resource-overrides", verb, file, ...args, "--argocd-cm-path", settings],
      // Instead of a diff it then prints both objects.
      { timeoutMs: 120_000, env: { ...process.env, HOME: dir, TMPDIR: dir, KUBECTL_EXTERNAL_DIFF: "cat" } },
    );
  }

  return {
    async health(object) {
      const text = said(await overrides(["health"], object));
      const match = /^STATUS: (.*)\nMESSAGE: ([^]*)$/.exec(text);
      if (match === null) throw new Error(`argocd says no health: ${text}`);
      const [, status = "", message = ""] = match;
      return { status, message: message.trimEnd() };
    },
    async actions(object) {
      const [head = "", ...lines] = said(await overrides(["list-actions"], object))
        .trimEnd()
        .split("\n");
      if (!head.startsWith("NAME")) throw new Error(`argocd lists no actions: ${head}`);
      return lines.map((line) => line.split(/\s+/)[0] ?? "");
    },
    async run(object, action, parameters = {}) {
      const given = Object.entries(parameters).flatMap(([name, value]) => ["--param", `${name}=${value}`]);
      const text = said(await overrides(["run-action", action, ...given], object));
      const changed = text.split(/^apiVersion:/m).at(-1);
      return parse(`apiVersion:${changed}`) as object;
    },
    close,
  };
}

function said({ ok, stdout, stderr }: CommandResult): string {
  if (!ok) throw new Error(stderr.trim());
  return stdout;
}

/** What stands in argocd-cm of a user who has our components in the kustomization of Argo CD. */
async function kustomized(kubectl: Kubectl, dir: string, components: readonly string[]): Promise<string> {
  const files = {
    "base.yaml": {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "argocd-cm", namespace: "argocd" },
      data: { "application.resourceTrackingMethod": "annotation" },
    },
    "kustomization.yaml": {
      apiVersion: "kustomize.config.k8s.io/v1beta1",
      kind: "Kustomization",
      resources: ["base.yaml"],
      components: components.map((component) => relative(dir, component)),
    },
  };
  for (const [file, content] of Object.entries(files))
    await writeFile(join(dir, file), JSON.stringify(content));
  return kubectl(["kustomize", dir]);
}
