import { CommanderError } from "commander";
import { createOutput } from "./output/output.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { createProgram, type GlobalOptions, type Runner } from "./program.ts";
import type { CommandContext } from "./command-context.ts";

const { stdout, stderr, env } = process;
const output = createOutput(stdout, stderr, env);
const interrupt = new AbortController();
/** What is known where a failure is explained: empty until a session is open. */
let server = "";

const runner: Runner = {
  async inCluster(options: GlobalOptions, command: (context: CommandContext) => Promise<ExitCode>) {
    const { openSession } = await import("./session.ts");
    process.once("SIGINT", () => interrupt.abort(new Error("interrupted")));
    const session = await openSession(options, env, interrupt.signal);
    ({ server } = session);
    try {
      process.exitCode = await command({ session, output, format: options.output });
    } finally {
      await session.close();
    }
  },
  async locally(options, isInCluster, command) {
    const { systemClock } = await import("../kube/clock.ts");
    process.once("SIGINT", () => interrupt.abort(new Error("interrupted")));
    const { namespace } = options;
    const { signal } = interrupt;
    const session = isInCluster
      ? await (await import("./session.ts")).openSession(options, env, signal)
      : undefined;
    if (session !== undefined) ({ server } = session);
    try {
      process.exitCode = await command({ output, clock: systemClock(), signal, namespace, session });
    } finally {
      await session?.close();
    }
  },
  async complete(program, words) {
    const { completionOf, objectWords } = await import("./completion.ts");
    const found = completionOf(program, words);
    if (found.kind === "Words") output.lines(found.words);
    else {
      const { openSession } = await import("./session.ts");
      const session = await openSession(found.session, env, interrupt.signal);
      output.lines(await objectWords(found.kind, session, words.at(-1) ?? ""));
      await session.close();
    }
    // For kubectl: nothing else fits here, do not offer file names.
    output.line(":4");
  },
  async completionScript(shell) {
    const { completionScript } = await import("./completion-scripts.ts");
    output.raw(completionScript(shell));
  },
};

const program = createProgram(runner);
for (const command of [program, ...program.commands]) command.exitOverride();
// A reader that has seen enough (head, less) closes the pipe: no failure.
stdout.on("error", (error: NodeJS.ErrnoException) =>
  process.exit(error.code === "EPIPE" ? EXIT.Ok : EXIT.Failed),
);

try {
  // `__complete` takes words that look like options: they are not for this program.
  if (process.argv[2] === "__complete") await runner.complete(program, process.argv.slice(3));
  else await program.parseAsync();
} catch (error) {
  process.exitCode = await exitCodeFor(error);
}

async function exitCodeFor(error: unknown): Promise<ExitCode> {
  // Commander has printed the usage, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.Ok : EXIT.Usage;
  if (interrupt.signal.aborted) return EXIT.Interrupted;
  const { explain } = await import("./errors.ts");
  output.note(`error: ${explain(error, server)}`);
  return EXIT.Failed;
}
