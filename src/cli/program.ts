import { Argument, Command, Option } from "commander";
import {
  parseWorkload,
  parseDigest,
  parseImagePin,
  parsePolicyName,
  parseReason,
  parseRequestName,
  parseRevision,
  parseTimeout,
} from "./arguments.ts";
import {
  parseHeader,
  parseServerUrl,
  parseSince,
  parseTime,
  type BacktestOptions,
} from "./backtest/options.ts";
import type { CommandContext } from "./command-context.ts";
import type { ApproveOptions } from "./commands/approve.ts";
import type { DenyOptions } from "./commands/deny.ts";
import type { HotfixOptions } from "./commands/hotfix.ts";

import type { BacktestContext } from "./commands/backtest.ts";
import type { PlanOptions } from "./commands/plan.ts";
import type { RetryOptions } from "./commands/retry.ts";
import type { StatusOptions } from "./commands/status.ts";
import type { UndoOptions } from "./commands/undo.ts";
import { SHELLS, type Shell } from "./completion-scripts.ts";
import type { ExitCode } from "./exit-codes.ts";
import type { Format } from "./output/objects.ts";
import { POLICY_ARGUMENT, WORKLOAD_ARGUMENT } from "./completion.ts";
import type { WorkloadName } from "./request/wording.ts";
import type { SessionOptions } from "./session.ts";

/** Options that every command has. */
export interface GlobalOptions extends SessionOptions {
  readonly output?: Format;
}

/** What the commands are run by: wiring knows neither processes nor clusters. */
export interface Runner {
  /** Opens the cluster that the options name and runs a command in it. */
  inCluster(options: GlobalOptions, command: (context: CommandContext) => Promise<ExitCode>): Promise<void>;
  /** Runs a command that needs a cluster only where it is told so. */
  locally(
    options: GlobalOptions,
    isInCluster: boolean,
    command: (context: Omit<BacktestContext, "format">) => Promise<ExitCode>,
  ): Promise<void>;
  complete(program: Command, words: readonly string[]): Promise<void>;
  completionScript(shell: Shell): Promise<void>;
}

const EXIT_CODES = `
Exit codes: 0 done and verified; 1 failed or refused; 2 wrong usage; 3 rolled back, not verified; 4 timed out.`;

/** The command line. Commands are loaded when they run, so that --help needs none of them. */
export function createProgram(runner: Runner): Command {
  const program = new Command("kubectl-rollback")
    .description("Roll back what a release broke, and see whether it helped.")
    .option("--kubeconfig <file>", "kubeconfig file [$KUBECONFIG, ~/.kube/config]")
    .option("--context <name>", "context of the kubeconfig [the current one]")
    .option("-n, --namespace <name>", "namespace [the context's]")
    .addOption(
      new Option("-o, --output <format>", "for programs: json, yaml or name; wide: more columns").choices([
        "json",
        "yaml",
        "name",
        "wide",
      ]),
    )
    .addHelpText("after", EXIT_CODES);
  addUndo(program, runner);
  addPlan(program, runner);
  addReaders(program, runner);
  addRequestVerbs(program, runner);
  addAnswers(program, runner);

  addBacktest(program, runner);
  addCompletion(program, runner);
  return program;
}

function workload(): Argument {
  return new Argument(`<${WORKLOAD_ARGUMENT}>`, "the workload").argParser(parseWorkload);
}

function request(): Argument {
  return new Argument("<NAME>", "the RollbackRequest").argParser(parseRequestName);
}

function policy(): Argument {
  return new Argument(`<${POLICY_ARGUMENT}>`, "the RollbackPolicy").argParser(parsePolicyName);
}

function timeout(otherwise: string): Option {
  return new Option("--timeout <duration>", "how long to wait for it")
    .argParser(parseTimeout)
    .default(parseTimeout(otherwise), otherwise);
}

/** Options that say what is to be undone. */
function withWish(command: Command): Command {
  return command
    .addOption(
      new Option("--to-revision <number>", 'revision to go back to, as "revisions" shows it')
        .argParser(parseRevision)
        .conflicts("to"),
    )
    .addOption(
      new Option("--to <strategy>", "revision to choose [last-known-good]").choices([
        "previous",
        "last-known-good",
      ]),
    )
    .addOption(
      new Option("--image <container=image>", "put only this image back, everything else stays")
        .argParser(parseImagePin)
        .conflicts(["to", "toRevision"]),
    )
    .addOption(
      new Option("--reason <text>", "why, for the record").argParser(parseReason).default("", "none"),
    )
    .option("--policy <name>", "policy to take executor and checks from [the one of the workload]")
    .option("--no-policy", "use no policy")
    .option("--service-account <name>", "who acts [the policy's, else the operator's default]")
    .addOption(
      new Option("--severity <level>", "severity of the incident").choices(["SEV1", "SEV2", "SEV3", "SEV4"]),
    )
    .option("--expect <pod-template-hash>", "refuse if another version is live than this one");
}

function addUndo(program: Command, runner: Runner): void {
  withWish(program.command("undo").description("Roll a workload back.").addArgument(workload()))
    .option("--dry-run", "plan and check only; the request is kept as a record", false)
    .option("--wait", "follow it until it is verified", false)
    .addOption(timeout("15m"))
    .action((target: WorkloadName, options: UndoOptions, command: Command) =>
      runner.inCluster(globals(command), async (context) =>
        (await import("./commands/undo.ts")).undo(context, target, options),
      ),
    );
}

function addPlan(program: Command, runner: Runner): void {
  withWish(program.command("plan").description("Show what undo would do.").addArgument(workload()))
    .addOption(timeout("30s"))
    .action((target: WorkloadName, options: PlanOptions, command: Command) =>
      runner.inCluster(globals(command), async (context) =>
        (await import("./commands/plan.ts")).plan(context, target, options),
      ),
    );
}

function addReaders(program: Command, runner: Runner): void {
  program
    .command("revisions")
    .description("Show the revisions of a workload: known good, rolled back, images, ages.")
    .addArgument(workload())
    .action((target: WorkloadName, _: unknown, command: Command) =>
      runner.inCluster(globals(command), async (context) =>
        (await import("./commands/revisions.ts")).revisions(context, target),
      ),
    );
  program
    .command("status")
    .description("Show a rollback: why, what, when, and whether it helped.")
    .addArgument(request())
    .option("-w, --watch", "follow it to its end", false)
    .addOption(timeout("15m"))
    .action((name: string, options: StatusOptions, command: Command) =>
      runner.inCluster(globals(command), async (context) =>
        (await import("./commands/status.ts")).status(context, name, options),
      ),
    );
  program
    .command("history")
    .description("List what was rolled back, one line each.")
    .addArgument(workload().argOptional())
    .action((target: WorkloadName | undefined, _: unknown, command: Command) =>
      runner.inCluster(globals(command), async (context) =>
        (await import("./commands/history.ts")).history(context, target),
      ),
    );
  program
    .command("explain")
    .description("Show why a policy would or would not act right now, guard by guard.")
    .addArgument(policy())
    .action((name: string, _: unknown, command: Command) =>
      runner.inCluster(globals(command), async (context) =>
        (await import("./commands/explain.ts")).explain(context, name),
      ),
    );
  program
    .command("doctor")
    .description("Check API server, CRDs, rights, operator and policies, as far as you may see them.")
    .action((_: unknown, command: Command) =>
      runner.inCluster(globals(command), async (context) =>
        (await import("./commands/doctor.ts")).doctor(context),
      ),
    );
}

function addRequestVerbs(program: Command, runner: Runner): void {
  program
    .command("abort")
    .description("Stop a rollback before its next write; what is done stays.")
    .addArgument(request())
    .action((name: string, _: unknown, command: Command) =>
      runner.inCluster(globals(command), async (context) =>
        (await import("./commands/abort.ts")).abort(context, name),
      ),
    );
  program
    .command("release")
    .description("Start again what a rollback stopped in Argo CD or Flux: Git wins.")
    .addArgument(request())
    .action((name: string, _: unknown, command: Command) =>
      runner.inCluster(globals(command), async (context) =>
        (await import("./commands/release.ts")).release(context, name),
      ),
    );
  program
    .command("retry")
    .description("Ask again for what a finished request asked for, under a new name.")
    .addArgument(request())
    .option("--wait", "follow it until it is verified", false)
    .addOption(timeout("15m"))
    .action((name: string, options: RetryOptions, command: Command) =>
      runner.inCluster(globals(command), async (context) =>
        (await import("./commands/retry.ts")).retry(context, name, options),
      ),
    );
}

function addAnswers(program: Command, runner: Runner): void {
  program
    .command("approve")
    .description("Approve the plan of a request that waits, and no other plan.")
    .addArgument(request())
    .addOption(
      new Option("--digest <digest>", "refuse if it has another plan than this one").argParser(parseDigest),
    )
    .option("--wait", "follow it until it is verified", false)
    .addOption(timeout("15m"))
    .action((name: string, options: ApproveOptions, command: Command) =>
      runner.inCluster(globals(command), async (context) =>
        (await import("./commands/approve.ts")).approve(context, name, options),
      ),
    );
  program
    .command("deny")
    .description("End a request that waits for approval.")
    .addArgument(request())
    .addOption(
      new Option("--reason <text>", "why, for the record").argParser(parseReason).makeOptionMandatory(),
    )
    .action((name: string, options: DenyOptions, command: Command) =>
      runner.inCluster(globals(command), async (context) =>
        (await import("./commands/deny.ts")).deny(context, name, options),
      ),
    );
  program
    .command("hotfix")
    .description("Announce a fix: rollbacks that are not urgent wait for it.")
    .addArgument(policy())
    .addOption(
      new Option("--eta <duration>", "when it is to be out, from now")
        .argParser(parseTimeout)
        .conflicts("cancel"),
    )
    .option("--cancel", "no fix is to be waited for any more", false)
    .action((name: string, options: HotfixOptions, command: Command) => {
      if (options.eta === undefined && !options.cancel) {
        command.error('error: say when the fix is to be out, such as "--eta 10m", or "--cancel"');
      }
      return runner.inCluster(globals(command), async (context) =>
        (await import("./commands/hotfix.ts")).hotfix(context, name, options),
      );
    });
}

function addBacktest(program: Command, runner: Runner): void {
  program
    .command("backtest")
    .description("Show what a policy would have done in the past, from Prometheus and a list of releases.")
    .addArgument(new Argument("<POLICY.yaml>", "file that holds the RollbackPolicy"))
    .addOption(
      new Option("--prometheus <url>", "the Prometheus that holds the past")
        .argParser(parseServerUrl)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option("--since <length>", "from so long ago until now, such as 14d").argParser(parseSince),
    )
    .addOption(new Option("--start <time>", "from then").argParser(parseTime).conflicts("since"))
    .addOption(new Option("--end <time>", "until then [now]").argParser(parseTime))
    .option("--releases <file>", "releases.json: a list of revision, startedAt, image")
    .addOption(
      new Option("--releases-from-cluster", "revisions that the cluster still has").conflicts("releases"),
    )
    .addOption(
      new Option("--scrape-interval <duration>", "of the targets, as the operator's configuration has it")
        .argParser(parseTimeout)
        .default(parseTimeout("15s"), "15s"),
    )
    .option(
      "--namespace-label <name>",
      'label forced to the namespace in every selector; "" for none',
      "namespace",
    )
    .addOption(
      new Option("--timeout <duration>", "of one query")
        .argParser(parseTimeout)
        .default(parseTimeout("30s"), "30s"),
    )
    .option("--bearer-token-file <file>", "token for the Prometheus")
    .addOption(
      new Option("--header <header>", 'for the Prometheus, "NAME: VALUE"; may be given again').argParser(
        parseHeader,
      ),
    )
    .addOption(new Option("-o, --output <format>", "text for people [text]").choices(["json", "text"]))
    .action((file: string, options: BacktestOptions, command: Command) => {
      const all = globals(command);
      const format = options.output ?? (all.output === "json" ? "json" : "text");
      return runner.locally(all, options.releasesFromCluster === true, async (context) =>
        (await import("./commands/backtest.ts")).backtest({ ...context, format }, file, options),
      );
    });
}

function addCompletion(program: Command, runner: Runner): void {
  program
    .command("completion")
    .description("Print a completion script for a shell.")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .action((shell: Shell) => runner.completionScript(shell));
  program
    .command("__complete", { hidden: true })
    .argument("[words...]")
    .helpOption(false)
    .allowUnknownOption()
    .action((words: readonly string[]) => runner.complete(program, words));
}

function globals(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>();
}
