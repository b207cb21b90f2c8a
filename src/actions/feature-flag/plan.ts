import {
  keyChanges,
  withoutValues,
  withValues,
  contentOf,
  sizeOf,
  MOST_BYTES,
} from "../../config-maps/content.ts";
import type { UseKind } from "../../config-maps/uses.ts";
import type { PlannedStep, StepEnd } from "../../crds/rollback-request.ts";
import { errorMessage, isForbidden, isInvalid, isNotFound } from "../../kube/errors.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { ownerWarnings } from "../config-map-owner.ts";
import { configMapTitle } from "../config-map-title.ts";
import { planConsumerRestarts } from "../consumer-restarts.ts";
import { digestOf } from "../digest.ts";
import { boundedWarnings } from "../warnings.ts";
import { flagDigest, flagOf, readMap, sendFlag, type LiveFlag } from "./flag.ts";

export interface FlagSpec {
  readonly configMap: {
    readonly name: string;
    readonly key: string;
    /** Undefined where a status kept none, and its policy has another one now. */
    readonly value: string | undefined;
  };
}

/** A plan of this action always knows its key, and both values by their digests. */
export type FlagPlan = Omit<PlannedStep, "objectUid" | "from" | "to"> & {
  readonly objectUid: string;
  readonly from: FlagEnd;
  readonly to: FlagEnd;
};

export type FlagEnd = StepEnd & { readonly key: string; readonly contentDigest: string };

/** Whoever changes it is done with it soon. */
const CHANGED_POLL_MS = 250;

/** A stored plan with its key and both digests, if it has them. */
export function narrowFlag(planned: PlannedStep): FlagPlan | undefined {
  const { objectUid } = planned;
  const [from, to] = [endOf(planned.from), endOf(planned.to)];
  if (objectUid === undefined || from === undefined || to === undefined) return undefined;
  return from.key !== to.key || from.contentDigest === to.contentDigest
    ? undefined
    : { ...planned, objectUid, from, to };
}

function endOf(end: StepEnd | undefined): FlagEnd | undefined {
  const { key, contentDigest } = end ?? {};
  return key === undefined || contentDigest === undefined ? undefined : { ...end, key, contentDigest };
}

/** Looks at the key and at who reads it, and tries without storing; changes nothing. */
export async function planFlag(
  stepName: string,
  { configMap: { name, key, value } }: FlagSpec,
  context: PlanContext,
): Promise<PlanResult<FlagPlan>> {
  const object = configMapTitle(name);
  const map = await readMap(context, name);
  if (map === undefined || map.metadata.deletionTimestamp !== undefined) {
    return refused("TargetNotFound", `${object} does not exist in namespace ${context.namespace}`);
  }
  const owned = context.gitOps.refusal(map);
  if (owned !== undefined) return refused("TargetOwned", `${object} is ${owned}`);
  const flag = flagOf(map, key);
  if (flag === undefined) {
    return refused("KeyNotFound", `${object} has no key ${key} with text: mend its name, nothing is added`);
  }
  if (map.immutable === true) {
    return refused("Immutable", `${object} is immutable: use a step \`configMap\`, which creates it anew`);
  }
  const { from: accepted } = context;
  if (accepted?.key === key && accepted.contentDigest !== flag.digest) {
    return {
      kind: "Superseded",
      message: `key ${key} of ${object} was changed by somebody else since this request was accepted: nothing was changed`,
    };
  }
  if (value === undefined) {
    return refused(
      "PlanChanged",
      `the value for ${key} of ${object} came from a plan of the policy that was changed since: make a new request`,
    );
  }
  const content = { data: { [key]: value }, binaryData: {} };
  const toDigest = flagDigest(name, key, content);
  if (toDigest === flag.digest) {
    return {
      kind: "NothingToDo",
      message: `key ${key} of ${object} has that value already`,
      live: { key, contentDigest: toDigest },
    };
  }
  const to = withValues(contentOf(map), content.data);
  if (sizeOf(to) > MOST_BYTES) {
    return refused("TooLarge", `${object} would hold more than ${MOST_BYTES} bytes: set a shorter value`);
  }
  const [consumers, rehearsal] = await Promise.all([
    planConsumerRestarts({ map, key, to, wantsRestart: isBlind }, context),
    rehearse(flag, key, value, context),
  ]);
  if (consumers.kind === "Refused") return consumers;
  if (rehearsal !== undefined) return rehearsal;
  const { restarts } = consumers;
  const identity = { action: "featureFlag", object, objectUid: map.metadata.uid };
  const what = { key, from: flag.digest, to: toDigest, restarts };
  return {
    kind: "Planned",
    plan: {
      name: stepName,
      digest: digestOf({ ...identity, ...what, executor: context.executorName }),
      ...identity,
      from: { key, contentDigest: flag.digest },
      to: {
        key,
        contentDigest: toDigest,
        ...(restarts.length === 0 ? {} : { restartedAt: new Date(context.now).toISOString() }),
      },
      changes: [...keyChanges(name, flag.content, content)],
      ...(restarts.length === 0 ? {} : { restarts: [...restarts] }),
      warnings: boundedWarnings([...ownerWarnings(map), ...consumers.warnings]),
    },
  };
}

/** Running pods never get to know of a change; of one in a file they do by themselves. */
function isBlind(use: UseKind): boolean {
  return use !== "File";
}

/** Admission webhooks and policies speak up in a dry run. Undefined when nobody objects. Throws KubeError. */
async function rehearse(
  flag: LiveFlag,
  key: string,
  value: string,
  context: PlanContext,
): Promise<PlanResult<FlagPlan> | undefined> {
  try {
    await sendFlag(flag, key, value, context, true);
    return undefined;
  } catch (error) {
    const isRefusal = isForbidden(error) || isInvalid(error);
    if (!isRefusal && !isNotFound(error)) throw error;
    const { name, uid } = flag.map.metadata;
    const now = await readMap(context, name);
    const live = now === undefined ? undefined : flagOf(now, key);
    if (isRefusal && live?.digest === flag.digest && live.map.metadata.uid === uid) {
      const words = withoutValues(errorMessage(error), contentOf(flag.map), {
        data: { [key]: value },
        binaryData: {},
      });
      return refused("DryRunRefused", `ConfigMap/${name}: the API server would refuse the change: ${words}`);
    }
    return {
      kind: "Pending",
      message: `key ${key} of ConfigMap/${name} was changed while it was looked at`,
      pollAfterMs: CHANGED_POLL_MS,
    };
  }
}

function refused(reason: string, message: string): Extract<PlanResult<FlagPlan>, { kind: "Refused" }> {
  return { kind: "Refused", reason, message };
}
