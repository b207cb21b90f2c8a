import { readFileSync } from "node:fs";

export interface Mount {
  readonly path: string;
  readonly type: string;
  /** Options of the file system, e.g. the controllers of a cgroup v1 hierarchy. */
  readonly superOptions: readonly string[];
}

/** The mounts that this process sees (proc_pid_mountinfo(5)). */
export function readMounts(): readonly Mount[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const [type = "", , superOptions = ""] = after.split(" ");
      // Spaces and the like are written as octal escapes.
      const path = (before.split(" ")[4] ?? "").replace(/\\(\d{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      );
      return { path, type, superOptions: superOptions.split(",") };
    });
}

/** Mount points in a folder (itself included), deepest first: the order in which they can be unmounted. */
export function mountsBelow(folder: string): readonly string[] {
  return readMounts()
    .map(({ path }) => path)
    .filter((path) => path === folder || path.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length);
}
