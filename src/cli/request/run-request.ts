import type { LedgerKnownGood } from "../../crds/rollback-ledger.ts";
import { formatDuration } from "../../crds/duration.ts";
import { readLedger } from "../../controllers/ledger/ledger.ts";
import { isForbidden } from "../../kube/errors.ts";
import { groupOf } from "../../kube/objects.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { WORKLOAD_TYPES } from "../../workloads/workload.ts";
import { EXIT, exitCodeOf, type ExitCode } from "../exit-codes.ts";
import { isForPrograms, printObject, type Format } from "../output/objects.ts";
import type { Output } from "../output/output.ts";
import type { Session } from "../session.ts";
import { awaitRequest, SILENCE_MS, type Awaited, type AwaitOptions } from "./follow.ts";
import { createProgressPrinter, LABEL_WIDTH, progressOf } from "./progress.ts";
import { hasEnded, requestPath, wasSeen, workloadOf, type WorkloadName } from "./wording.ts";

export interface RunOptions {
  /** To the end; otherwise only until it is known what will be done. */
  readonly wait: boolean;
  readonly timeoutMs: number;
  readonly format: Format | undefined;
}

/** Shows what becomes of a request, and says how it ended. Throws KubeError. */
export async function runRequest(
  session: Session,
  output: Output,
  name: string,
  { wait, timeoutMs, format }: RunOptions,
): Promise<ExitCode> {
  const quiet = isForPrograms(format);
  const print = createProgressPrinter(quiet ? { ...output, line: () => {}, replace: () => {} } : output);
  const knownGood = knownGoodReader(session);
  if (!quiet) output.line(`${"request".padEnd(LABEL_WIDTH)}${name}`);
  const awaited = await awaitUninterrupted(session, name, {
    timeoutMs,
    onSilence: () => {
      output.note(silenceText(session, name));
      return !wait;
    },
    async onState(request) {
      print(progressOf(request, await knownGood(request), session.clock.now()));
      return hasEnded(request) || (!wait && isUnderWay(request));
    },
  });
  if (awaited === "Interrupted") {
    const { namespaceFlag } = session;
    output.note(
      `the rollback goes on in the cluster; to follow it: kubectl-rollback status ${name} --watch${namespaceFlag}; to stop it: kubectl-rollback abort ${name}${namespaceFlag}`,
    );
    return EXIT.Interrupted;
  }
  if (awaited.kind === "Reached" && isForPrograms(format)) {
    await printObject(output, format, awaited.request, requestPath(name));
  }
  return conclude(session, output, name, awaited, timeoutMs);
}

async function awaitUninterrupted(
  session: Session,
  name: string,
  options: AwaitOptions,
): Promise<Awaited | "Interrupted"> {
  try {
    return await awaitRequest(session, name, options);
  } catch (error) {
    if (session.signal.aborted) return "Interrupted";
    throw error;
  }
}

/** It is known what will be done, or what it waits for. */
function isUnderWay({ status }: RollbackRequest): boolean {
  return status?.plan !== undefined || status?.phase === "Pending";
}

function conclude(
  { namespaceFlag }: Session,
  output: Output,
  name: string,
  awaited: Awaited,
  timeoutMs: number,
): ExitCode {
  const follow = `kubectl-rollback status ${name} --watch${namespaceFlag}`;
  switch (awaited.kind) {
    case "Reached":
      if (awaited.request.status?.phase === "AwaitingApproval")
        output.note(`it waits: kubectl-rollback approve ${name}${namespaceFlag}; to follow it: ${follow}`);
      else if (!hasEnded(awaited.request)) output.note(`it goes on in the cluster; to follow it: ${follow}`);
      return exitCodeOf(awaited.request);
    case "Silent":
      return EXIT.TimedOut;
    case "TimedOut": {
      const { request } = awaited;
      const state = request !== undefined && wasSeen(request) ? request.status?.phase : "unseen";
      output.note(
        `${name} is still ${state} after ${formatDuration(timeoutMs)}; it goes on in the cluster; to follow it: ${follow}`,
      );
      return EXIT.TimedOut;
    }
    case "Gone":
      output.note(`RollbackRequest ${name} was deleted; a change that it made stays`);
      return EXIT.Failed;
  }
}

function silenceText({ namespaceFlag }: Session, name: string): string {
  return (
    `no operator has looked at ${name} within ${SILENCE_MS / 1_000} s: check that it runs ` +
    `("kubectl get pods -n rollback-system", its /readyz names what is missing) and run "kubectl-rollback doctor${namespaceFlag}". ` +
    `The request stays and runs once there is an operator; to take it back: kubectl-rollback abort ${name}${namespaceFlag}`
  );
}

/** Reads the ledger once, when a plan is there to be explained; without the right to read it the line is shorter. */
export function knownGoodReader(
  session: Session,
): (request: RollbackRequest) => Promise<readonly LedgerKnownGood[] | undefined> {
  let read: Promise<readonly LedgerKnownGood[] | undefined> | undefined;
  return async (request) => {
    const workload = workloadOf(request);
    if (request.status?.plan === undefined || workload === undefined) return undefined;
    read ??= knownGoodOf(session, workload);
    return read;
  };
}

async function knownGoodOf(
  { client, namespace, signal }: Session,
  workload: WorkloadName,
): Promise<readonly LedgerKnownGood[] | undefined> {
  try {
    const target = { group: groupOf(WORKLOAD_TYPES[workload.kind]), namespace, ...workload };
    return (await readLedger(client, target, signal))?.spec.knownGood;
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}
