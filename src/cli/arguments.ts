import { InvalidArgumentError } from "commander";
import type { WorkloadTo } from "../crds/rollback-request.ts";
import { parseDuration } from "../crds/duration.ts";

const DEPLOYMENT_WORDS: ReadonlySet<string> = new Set([
  "deploy",
  "deployment",
  "deployments",
  "deployment.apps",
  "deployments.apps",
]);
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const LARGEST_REVISION = 2 ** 31 - 1;

/** The name of the Deployment in `deploy/NAME`. Throws InvalidArgumentError on anything else. */
export function parseDeployment(text: string): string {
  const [word = "", name, ...more] = text.split("/");
  if (name === undefined) {
    throw new InvalidArgumentError(`must be deploy/NAME, such as deploy/${NAME.test(text) ? text : "web"}`);
  }
  if (!DEPLOYMENT_WORDS.has(word.toLowerCase())) {
    throw new InvalidArgumentError(`"${word}" cannot be rolled back yet; only Deployments can: deploy/NAME`);
  }
  if (more.length > 0 || !NAME.test(name)) {
    throw new InvalidArgumentError(`"${text.slice(word.length + 1)}" is not the name of a Deployment`);
  }
  return name;
}

/** The name in `NAME`, `rbr/NAME` or `rollbackrequest.../NAME`, as kubectl prints and takes it. */
export function parseRequestName(text: string): string {
  const name = text.replace(/^(rbr|rollbackrequests?(\.rollback\.llm-research-lab\.io)?)\//i, "");
  if (!NAME.test(name)) throw new InvalidArgumentError(`"${text}" is not the name of a RollbackRequest`);
  return name;
}

export function parseRevision(text: string): number {
  const revision = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (revision < 1 || revision > LARGEST_REVISION) {
    throw new InvalidArgumentError(
      'must be a revision number from 1, as "kubectl-rollback revisions" shows it',
    );
  }
  return revision;
}

/** Milliseconds of `90s`, `10m` or `1h30m`. */
export function parseTimeout(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw new InvalidArgumentError("must be a duration such as 90s, 10m or 1h30m");
  }
}

export function parseReason(text: string): string {
  if (text.length > 1_024) throw new InvalidArgumentError("must be at most 1024 characters");
  return text;
}

export type Strategy = "previous" | "last-known-good";

/** Where to go back to; the last known good revision unless something else is named. */
export function destinationOf(toRevision: number | undefined, to: Strategy | undefined): WorkloadTo {
  if (toRevision !== undefined) return { revision: toRevision };
  return { strategy: to === "previous" ? "Previous" : "LastKnownGood" };
}
