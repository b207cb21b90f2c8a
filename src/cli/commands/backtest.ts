import { readFile } from "node:fs/promises";
import { backtest as replay } from "../../backtest/backtest.ts";
import { openPolicy } from "../../backtest/open-policy.ts";
import { parseReleases } from "../../backtest/past-release.ts";
import { parsePolicy } from "../../backtest/policy-file.ts";
import type { Clock } from "../../kube/clock.ts";
import { errorMessage } from "../../kube/errors.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { releasesFromCluster, type ClusterReleases } from "../backtest/cluster-releases.ts";
import { jsonReport } from "../backtest/json.ts";
import { rangeOf, type BacktestOptions } from "../backtest/options.ts";
import { textReport } from "../backtest/text.ts";
import { CliError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Output } from "../output/output.ts";
import type { Session } from "../session.ts";

export interface BacktestContext {
  readonly output: Output;
  readonly clock: Pick<Clock, "now" | "monotonic">;
  readonly signal: AbortSignal;
  /** Of --namespace. */
  readonly namespace: string | undefined;
  readonly format: "json" | "text";
  /** Only where the releases come from a cluster. */
  readonly session: Session | undefined;
}

const PROGRESS_MS = 2_000;

/** What a policy would have done in the past. Reads files, a Prometheus and, if asked to, a cluster; changes nothing. */
export async function backtest(
  context: BacktestContext,
  file: string,
  options: BacktestOptions,
): Promise<ExitCode> {
  const { output, clock, signal, format } = context;
  const range = rangeOf(options, clock.now());
  const policy = parsePolicy(await textOf(file), file, context.namespace);
  const known = await releasesOf(context, policy, options, range.start);
  const opened = openPolicy(
    policy,
    {
      url: options.prometheus,
      scrapeIntervalMs: options.scrapeInterval,
      timeoutMs: options.timeout,
      namespaceLabel: options.namespaceLabel,
      bearerTokenFile: options.bearerTokenFile,
      headers: options.header,
    },
    clock,
  );
  try {
    const { namespace = "" } = policy.metadata;
    const { name } = policy.spec.target;
    const { releases } = known;
    const onProgress = progressOf(context);
    const report = await replay(
      { ...range, compiled: opened.compiled, namespace, target: { uid: name, name }, releases, onProgress },
      signal,
    );
    const notes = [...known.notes, ...opened.notes];
    if (format === "json") output.raw(`${JSON.stringify(jsonReport(report, notes), undefined, 2)}\n`);
    else output.lines(textReport(report, notes, output.colours));
    return EXIT.Ok;
  } finally {
    await opened.close();
  }
}

async function releasesOf(
  { session }: BacktestContext,
  policy: RollbackPolicy,
  { releases, releasesFromCluster: fromCluster }: BacktestOptions,
  start: number,
): Promise<ClusterReleases> {
  if (fromCluster === true && session !== undefined) return releasesFromCluster(session, policy, start);
  if (releases !== undefined) return { releases: parseReleases(await textOf(releases), releases), notes: [] };
  const why =
    "without releases no breach can be laid to one: give --releases FILE or --releases-from-cluster";
  return { releases: [], notes: [why] };
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new CliError(`${file} cannot be read: ${errorMessage(error)}`, { cause: error });
  }
}

/** A line now and then, to standard error. */
function progressOf({ output, clock }: BacktestContext): (share: number) => void {
  let toldAt = clock.monotonic();
  return (share) => {
    const now = clock.monotonic();
    if (share >= 1 || now - toldAt < PROGRESS_MS) return;
    toldAt = now;
    output.note(`replayed ${Math.floor(share * 100)}%`);
  };
}
