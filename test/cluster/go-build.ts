import { spawn } from "node:child_process";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import type { Progress } from "./progress.ts";
import { findProgram, tryCommand } from "./run-command.ts";

export interface GoBuild {
  readonly go: string;
  /** Folder of go.mod. */
  readonly moduleFolder: string;
  /** Package with the program's main function. */
  readonly package: string;
  readonly ldflags: string;
  /** Where the program shall be. Nothing is there before it is whole. */
  readonly output: string;
  /** Shown in front of the progress, e.g. "kubelet (4 of 7)". */
  readonly label: string;
}

/** Builds one Go program; progress counts compiled packages against those that the build cache lacks. */
export async function goBuild(build: GoBuild, progress: Progress, signal?: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  const elapsed = (): string => `${Math.round((performance.now() - startedAt) / 1000)} s`;
  progress.step(`${build.label}: reading modules`);
  const toCompile = await countStale(build, signal);
  const temporary = `${build.output}.building.${process.pid}`;
  await mkdir(dirname(build.output), { recursive: true });
  let compiled = 0;
  const show = (): void => {
    const part = Math.min(compiled, toCompile);
    const what =
      part >= toCompile
        ? "linking"
        : `${part} of ${toCompile} packages (${Math.floor((part / toCompile) * 100)} %)`;
    progress.step(`${build.label}: ${what}, ${elapsed()}`);
  };
  const ticker = setInterval(show, 1000);
  try {
    await compile({ ...build, output: temporary }, signal, () => {
      compiled += 1;
    });
    await rename(temporary, build.output);
    progress.done(`${build.label}: built in ${elapsed()}`);
  } finally {
    clearInterval(ticker);
    await rm(temporary, { force: true });
  }
}

function goEnvironment(): NodeJS.ProcessEnv {
  // A vendor folder, workspace or flags of the user's own environment must not change what is built.
  return { ...process.env, GOFLAGS: "-mod=readonly -buildvcs=false", GOWORK: "off" };
}

async function countStale(build: GoBuild, signal?: AbortSignal): Promise<number> {
  const command = [build.go, "list", "-deps", "-f", "{{if .Stale}}x{{end}}", build.package];
  const options = { cwd: build.moduleFolder, env: goEnvironment(), ...(signal && { signal }) };
  const { ok, stdout, stderr } = await tryCommand(command, options);
  signal?.throwIfAborted();
  if (!ok) throw new Error(`cannot read the modules of ${build.package}: ${stderr.trim().slice(-1500)}`);
  // The program itself is always stale: it was never installed.
  return Math.max(1, stdout.split("\n").filter((line) => line === "x").length - 1);
}

function compile(build: GoBuild, signal: AbortSignal | undefined, onPackage: () => void): Promise<void> {
  const command = [build.go, "build", "-v", "-ldflags", build.ldflags, "-o", build.output, build.package];
  // The compiler must not go on when we are killed.
  const setpriv = findProgram("setpriv");
  const [program = "", ...args] =
    setpriv === undefined ? command : [setpriv, "--pdeathsig", "TERM", "--", ...command];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: build.moduleFolder,
      env: goEnvironment(),
      stdio: ["ignore", "ignore", "pipe"],
      signal,
    });
    const messages: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => {
      // `-v` writes one import path a line; all else is downloads and errors.
      if (/^[\w.~/-]+$/.test(line)) onPackage();
      else if (!line.startsWith("go: downloading")) messages.push(line);
    });
    child.once("error", reject);
    child.once("close", (code, killedBy) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(
            `go build ${build.package} failed (${killedBy ?? code}): ${messages.slice(-20).join("\n")}`,
          ),
        );
    });
  });
}
