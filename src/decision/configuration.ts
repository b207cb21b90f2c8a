import { attribute, type Attribution, type AttributionInput } from "./attribution/attribute.ts";
import type { Release } from "./release.ts";
import { clockTime, formatSpan } from "./sentence.ts";

/** A ConfigMap that the workload's policy is concerned with got another content, which is not known good yet. */
export interface ConfigurationChange {
  readonly configMap: string;
  /** When it was seen, ms since the epoch: a little later than it was. */
  readonly at: number;
}

/** A change so near to the start of a release belongs to that release: who deploys both brings them together. */
const APART_MS = 60_000;

type Suspicion = Pick<AttributionInput, "release" | "onset" | "lookbackMs" | "now">;

/**
 * The change that is more suspected than the live release: it came after that, clearly apart from it, and before the breach.
 * The latest one, since suspicion decays with the time between a change and the onset.
 */
export function suspectedChange(
  changes: readonly ConfigurationChange[],
  { release, onset, lookbackMs, now }: Suspicion,
): ConfigurationChange | undefined {
  const startedAt = release?.startedAt;
  if (startedAt === undefined) return undefined;
  return changes
    .filter(({ at }) => at - startedAt >= APART_MS && at <= onset && at >= now - lookbackMs)
    .toSorted((a, b) => b.at - a.at)[0];
}

/** The change in the place of the release: as the beginning of what is judged. */
export function asRelease({ configMap, at }: ConfigurationChange, live: Release): Release {
  const { replicaSetUid, revision, podTemplateHash } = live;
  return { replicaSetUid, revision, podTemplateHash, startedAt: at, configMap };
}

/**
 * Did the change do it? By time, and by what speaks against any cause; pods of the release and of those before it read the
 * same configuration, so comparing them tells nothing.
 */
export function attributeChange(
  change: ConfigurationChange,
  live: Release,
  input: Omit<AttributionInput, "release" | "previous">,
): Attribution {
  const evidence =
    input.evidence === undefined ? undefined : { ...input.evidence, pods: undefined, ill: undefined };
  return attribute({ ...input, release: asRelease(change, live), evidence });
}

/** For a plan that would take back the code alone: whether that helps, a person has to decide. */
export function doubtedFor(
  code: Attribution,
  { configMap, at }: ConfigurationChange,
  { onset, now }: Pick<Suspicion, "onset" | "now">,
): Attribution {
  if (code.verdict === "Unlikely") return code;
  return {
    verdict: "Unknown",
    reason: `ConfigMap/${configMap} changed at ${clockTime(at, now)}, ${formatSpan(onset - at)} before the breach and after the release: it is more likely the cause, and no plan of the policy puts it back`,
  };
}
