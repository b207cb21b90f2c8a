import { InvalidArgumentError } from "commander";
import type { ImagePin, WorkloadTo } from "../crds/steps.ts";
import type { WorkloadKind } from "../crds/common.ts";
import { parseDuration } from "../crds/duration.ts";
import type { WorkloadName } from "./request/wording.ts";

/** As kubectl takes them. */
const KIND_WORDS: Readonly<Record<WorkloadKind, readonly string[]>> = {
  Deployment: ["deploy", "deployment", "deployments", "deployment.apps", "deployments.apps"],
  StatefulSet: ["sts", "statefulset", "statefulsets", "statefulset.apps", "statefulsets.apps"],
  DaemonSet: ["ds", "daemonset", "daemonsets", "daemonset.apps", "daemonsets.apps"],
  Rollout: ["ro", "rollout", "rollouts", "rollout.argoproj.io", "rollouts.argoproj.io"],
};
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const LARGEST_REVISION = 2 ** 31 - 1;

/** What `deploy/NAME`, `sts/NAME`, `ds/NAME` or `rollout/NAME` names. Throws InvalidArgumentError on anything else. */
export function parseWorkload(text: string): WorkloadName {
  const [word = "", name, ...more] = text.split("/");
  if (name === undefined) {
    const example = `deploy/${NAME.test(text) ? text : "web"}`;
    throw new InvalidArgumentError(
      `must be deploy/NAME, sts/NAME, ds/NAME or rollout/NAME, such as ${example}`,
    );
  }
  const kind = (Object.keys(KIND_WORDS) as WorkloadKind[]).find((each) =>
    KIND_WORDS[each].includes(word.toLowerCase()),
  );
  if (kind === undefined) {
    throw new InvalidArgumentError(
      `"${word}" cannot be rolled back; deploy/NAME, sts/NAME, ds/NAME and rollout/NAME can`,
    );
  }
  if (more.length > 0 || !NAME.test(name)) {
    throw new InvalidArgumentError(`"${text.slice(word.length + 1)}" is not the name of a ${kind}`);
  }
  return { kind, name };
}

/** The name in `NAME`, `rbr/NAME` or `rollbackrequest.../NAME`, as kubectl prints and takes it. */
export function parseRequestName(text: string): string {
  const name = text.replace(/^(rbr|rollbackrequests?(\.rollback\.llm-research-lab\.io)?)\//i, "");
  if (!NAME.test(name)) throw new InvalidArgumentError(`"${text}" is not the name of a RollbackRequest`);
  return name;
}

/** The name in `NAME`, `policy/NAME`, `rbp/NAME` or `rollbackpolicy.../NAME`. */
export function parsePolicyName(text: string): string {
  const name = text.replace(/^(rbp|policy|rollbackpolic(y|ies)(\.rollback\.llm-research-lab\.io)?)\//i, "");
  if (!NAME.test(name)) throw new InvalidArgumentError(`"${text}" is not the name of a RollbackPolicy`);
  return name;
}

/** A digest of a plan, or its beginning: long enough that another plan hardly ever begins alike. */
export function parseDigest(text: string): string {
  if (!/^[0-9a-f]{8,16}$/.test(text)) {
    throw new InvalidArgumentError("must be the digest of a plan, or at least its first 8 digits");
  }
  return text;
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

/** `app=registry/web:v1`: a container and the image that it gets back. */
export function parseImagePin(text: string): ImagePin {
  const equals = text.indexOf("=");
  const [container, image] = [text.slice(0, Math.max(0, equals)), text.slice(equals + 1)];
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(container) || image === "" || image.length > 512) {
    throw new InvalidArgumentError("must be CONTAINER=IMAGE, such as app=registry/web:v1");
  }
  return { container, image };
}

/** Where to go back to; the last known good revision unless something else is named. */
export function destinationOf(
  toRevision: number | undefined,
  to: Strategy | undefined,
  image: ImagePin | undefined,
): WorkloadTo {
  if (image !== undefined) return { image };
  if (toRevision !== undefined) return { revision: toRevision };
  return { strategy: to === "previous" ? "Previous" : "LastKnownGood" };
}
