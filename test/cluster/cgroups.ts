import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readMounts } from "./mounts.ts";

/** Controllers without which the kubelet does not start. */
const NEEDED = ["cpu", "cpuset", "memory", "pids"];

interface Hierarchies {
  readonly version: 1 | 2;
  /** One mount point for each v1 hierarchy; a single one for v2. */
  readonly folders: readonly string[];
  readonly controllers: readonly string[];
}

function hierarchies(): Hierarchies {
  const mounts = readMounts();
  const first = mounts.filter(({ type }) => type === "cgroup");
  if (first.length > 0) {
    const controllers = first.flatMap(({ superOptions }) => superOptions);
    return { version: 1, folders: first.map(({ path }) => path), controllers };
  }
  const second = mounts.find(({ type }) => type === "cgroup2");
  if (second === undefined) return { version: 2, folders: [], controllers: [] };
  const controllers = readFileSync(join(second.path, "cgroup.controllers"), "utf8").trim().split(" ");
  return { version: 2, folders: [second.path], controllers };
}

/** All places where a cgroup of this name may be; runc makes one in the unified hierarchy beside v1 ones too. */
function foldersOf(name: string): readonly string[] {
  return readMounts()
    .filter(({ type }) => type === "cgroup" || type === "cgroup2")
    .map(({ path }) => join(path, name));
}

/** Controllers that this machine does not offer. */
export function missingControllers(): readonly string[] {
  const { controllers } = hierarchies();
  return NEEDED.filter((controller) => !controllers.includes(controller));
}

/** Makes a cgroup of this name at the top of every hierarchy, ready to hold pods. */
export function createCgroup(name: string): void {
  const { version, folders } = hierarchies();
  for (const folder of folders) {
    if (version === 2) enableControllers(folder);
    mkdirSync(join(folder, name), { recursive: true });
    if (version === 2) enableControllers(join(folder, name));
    // On v1 a new cpuset is empty and takes no process before it has processors and memory nodes.
    for (const setting of ["cpuset.cpus", "cpuset.mems"]) {
      const file = join(folder, name, setting);
      if (version === 1 && existsSync(file)) writeFileSync(file, readFileSync(join(folder, setting), "utf8"));
    }
  }
}

/** v2: a cgroup with processes of its own may not hand controllers to its children, except the machine's root. */
function enableControllers(folder: string): void {
  const file = join(folder, "cgroup.subtree_control");
  const enabled = readFileSync(file, "utf8").trim().split(" ");
  const missing = NEEDED.filter((controller) => !enabled.includes(controller));
  if (missing.length === 0) return;
  const request = missing.map((controller) => `+${controller}`).join(" ");
  try {
    writeFileSync(file, request);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
    // Inside a container our "root" is no root: its processes, ourselves included, move to a leaf.
    const leaf = join(folder, "rollback-operator-init");
    mkdirSync(leaf, { recursive: true });
    for (const pid of pidsIn(folder)) moveTo(leaf, pid);
    writeFileSync(file, request);
  }
}

function moveTo(folder: string, pid: number): void {
  try {
    writeFileSync(join(folder, "cgroup.procs"), String(pid));
  } catch {
    // It has ended, or is a kernel thread.
  }
}

/** Processes in a cgroup of this name and below, in whichever hierarchy. */
export function processesInCgroup(name: string): readonly number[] {
  const folders = foldersOf(name).flatMap(subfolders);
  return [...new Set(folders.flatMap(pidsIn))];
}

/** Removes the cgroup; its processes must have been killed. A dying process may hold it for a moment. */
export async function removeCgroup(name: string): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const left = foldersOf(name).flatMap(subfolders);
    const busy = left.filter((folder) => !tryRemove(folder));
    if (busy.length === 0) return;
    await sleep(100);
  }
  throw new Error(`cgroup ${name} is still in use`);
}

function tryRemove(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

/** The folder and all below, deepest first. */
function subfolders(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const inside = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...inside.flatMap(({ name }) => subfolders(join(folder, name))), folder];
}

function pidsIn(folder: string): readonly number[] {
  try {
    return readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
