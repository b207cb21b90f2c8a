import type { RollbackRequestSpec } from "../../crds/rollback-request.ts";
import type { WorkloadTo } from "../../crds/steps.ts";
import type { Severity } from "../../crds/common.ts";
import { isAlreadyExists, isForbidden, outcomeUnknown } from "../../kube/errors.ts";
import { defineResource, type KubeObject } from "../../kube/objects.ts";
import { ROLLBACK_POLICIES, ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { Session } from "../session.ts";
import type { WorkloadName } from "./wording.ts";

/** What a person asks for on the command line. */
export interface Wish {
  readonly target: WorkloadName;
  readonly to: WorkloadTo;
  readonly reason: string;
  /** A policy's name; undefined: the one that watches the workload; false: none. */
  readonly policy: string | false | undefined;
  readonly serviceAccountName: string | undefined;
  readonly severity: Severity | undefined;
  readonly expect: string | undefined;
  readonly dryRun: boolean;
}

interface SelfSubjectReview extends KubeObject {
  readonly status?: { readonly userInfo?: { readonly username?: string } };
}

const SELF_SUBJECT_REVIEWS = defineResource<SelfSubjectReview>({
  apiVersion: "authentication.k8s.io/v1",
  kind: "SelfSubjectReview",
  plural: "selfsubjectreviews",
  namespaced: false,
});

/** No vowels and nothing that looks alike, so that no word and no misreading comes out. */
const ALPHABET = "bcdfghjkmnpqrstvwxz2456789";
const SUFFIX_LENGTH = 5;
/** Names become label values. */
const LONGEST_NAME = 63;
const MAX_TRIES = 4;

/** `web-undo-x7k2p`: readable, a DNS label, and as good as never taken. */
export function requestName(base: string, verb: string, random: () => number): string {
  const suffix = Array.from(
    { length: SUFFIX_LENGTH },
    () => ALPHABET[Math.floor(random() * ALPHABET.length)] ?? "x",
  ).join("");
  const readable = base
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, LONGEST_NAME - verb.length - SUFFIX_LENGTH - 2)
    .replaceAll(/^-+|-+$/g, "");
  return `${readable === "" ? "request" : readable}-${verb}-${suffix}`;
}

/** The spec for a wish, with policy and requester filled in as far as the user may look them up. */
export async function specOf(session: Session, wish: Wish): Promise<RollbackRequestSpec> {
  const [policy, requestedBy] = await Promise.all([policyFor(session, wish), userName(session)]);
  const { serviceAccountName, severity, expect } = wish;
  const spec = {
    reason: wish.reason,
    ...(policy === undefined ? {} : { policyRef: { name: policy } }),
    steps: [{ name: "app", workload: { ...wish.target, to: wish.to } }],
    ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
    ...(requestedBy === undefined ? {} : { requestedBy }),
    ...(severity === undefined ? {} : { severity }),
    ...(expect === undefined ? {} : { expect: { podTemplateHash: expect } }),
    dryRun: wish.dryRun,
  };
  // The server fills in the defaults that the type calls required; it knows the version that is installed.
  return spec as unknown as RollbackRequestSpec;
}

/** The policy whose executor, signals and verification the request is to use. */
async function policyFor(session: Session, { policy, target }: Wish): Promise<string | undefined> {
  if (policy !== undefined) return policy === false ? undefined : policy;
  const { client, namespace, signal } = session;
  try {
    const { items } = await client.list(ROLLBACK_POLICIES, { namespace, signal });
    // The oldest owns the target, by creation time, then UID.
    const [owner] = items
      .filter(({ spec }) => spec.target.kind === target.kind && spec.target.name === target.name)
      .map(({ metadata }) => ({
        name: metadata.name,
        order: `${metadata.creationTimestamp} ${metadata.uid}`,
      }))
      .sort((a, b) => (a.order < b.order ? -1 : 1));
    return owner?.name;
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

/** Who asks, in the API server's words. Every user may ask that; where it is closed the claim is left out. */
export async function userName({ client, signal }: Session): Promise<string | undefined> {
  try {
    const review = await client.create(SELF_SUBJECT_REVIEWS, { metadata: {} }, { signal, deadlineMs: 5_000 });
    const name = review.status?.userInfo?.username ?? "";
    return name === "" || name.length > 256 ? undefined : name;
  } catch {
    return undefined;
  }
}

/** Creates a request under a name that is free. An answer that was lost makes no second request. Throws KubeError. */
export async function createRequest(
  { client, namespace, signal, random }: Session,
  base: string,
  verb: string,
  spec: RollbackRequestSpec,
): Promise<RollbackRequest> {
  for (let tries = 1; ; tries += 1) {
    const name = requestName(base, verb, random);
    try {
      return await client.create(ROLLBACK_REQUESTS, { metadata: { namespace, name }, spec }, { signal });
    } catch (error) {
      const made = outcomeUnknown(error)
        ? await client.tryGet(ROLLBACK_REQUESTS, { namespace, name }, { signal })
        : undefined;
      if (made !== undefined) return made;
      if (outcomeUnknown(error) || !isAlreadyExists(error) || tries >= MAX_TRIES) throw error;
    }
  }
}
