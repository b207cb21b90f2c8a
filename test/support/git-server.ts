import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { findProgram, isExecutable, runCommand } from "../cluster/run-command.ts";

/** A repository with one branch `main`, as a person works on it; others read it through a Git daemon. */
export interface GitRepository {
  /**
   * Commits these files, by their path in the repository; undefined removes one. Returns the commit's id. Throws when
   * nothing changes.
   */
  commit(message: string, files: Readonly<Record<string, string | undefined>>): Promise<string>;
}

/** So that nobody's own settings count, nor are touched. */
export function gitEnvironment(home: string): Readonly<Record<string, string>> {
  return {
    HOME: home,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
  };
}

/** Makes the repository `<folder>/<name>` with one empty commit. */
export async function createRepository(folder: string, name: string): Promise<GitRepository> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  const env = {
    ...process.env,
    ...gitEnvironment(folder),
    GIT_AUTHOR_NAME: "alice",
    GIT_AUTHOR_EMAIL: "alice@example.org",
    GIT_COMMITTER_NAME: "alice",
    GIT_COMMITTER_EMAIL: "alice@example.org",
  };
  const git = (...args: readonly string[]) => runCommand(["git", ...args], { cwd: path, env });
  await git("init", "--quiet", "--initial-branch=main");
  await git("commit", "--quiet", "--allow-empty", "--message=Empty");

  async function commit(
    message: string,
    files: Readonly<Record<string, string | undefined>>,
  ): Promise<string> {
    for (const [file, text] of Object.entries(files)) {
      const target = join(path, file);
      if (text === undefined) {
        await rm(target);
        continue;
      }
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, text);
    }
    await git("add", "--all");
    await git("commit", "--quiet", `--message=${message}`);
    return (await git("rev-parse", "HEAD")).trim();
  }

  // Stories run at once, and a repository has one index.
  let last: Promise<unknown> = Promise.resolve();
  return {
    commit(message, files) {
      const next = last.then(() => commit(message, files));
      last = next.catch(() => undefined);
      return next;
    },
  };
}

/** Serves all repositories of a folder on 127.0.0.1; `git://127.0.0.1:<port>/<name>`. */
export async function gitDaemonCommand(folder: string, port: number): Promise<readonly string[]> {
  // `git daemon` itself would start the daemon as a child that outlives it.
  const program = join((await runCommand(["git", "--exec-path"])).trim(), "git-daemon");
  return [
    program,
    `--base-path=${folder}`,
    "--export-all",
    "--listen=127.0.0.1",
    `--port=${port}`,
    "--reuseaddr",
    folder,
  ];
}

/** What a Git daemon lacks here, in one line; undefined when it can be started. */
export async function lackOfGitDaemon(): Promise<string | undefined> {
  if (findProgram("git") === undefined) return "git is missing: apt-get install git";
  const folder = (await runCommand(["git", "--exec-path"])).trim();
  return isExecutable(join(folder, "git-daemon"))
    ? undefined
    : `git-daemon is missing in ${folder}: install the package of your distribution that has it`;
}
