import { z } from "zod";
import { dnsLabel, duration, meta, objectName, text, time } from "./common.ts";
import { REPLICAS } from "./steps.ts";

/** What is checked of another object before a change is finished: a value that stands for a decision. */
export const ChangeCondition = z
  .object({
    object: text("The object, as Kind/name.", 320),
    objectUid: text("UID of that object.", 64),
    selectorDigest: text("Digest of its selector.", 64),
  })
  .meta(meta("The state of another object without which the change is not finished: a Service's selector."));
export type ChangeCondition = z.output<typeof ChangeCondition>;

/** Of what is changed for a time, in the plan and in the ledger alike. */
const WHAT = {
  change: z
    .enum(["Replicas", "MinReplicas"])
    .meta(
      meta(
        "Replicas: the number of replicas of a workload. MinReplicas: the lower bound of a HorizontalPodAutoscaler.",
      ),
    ),
  object: text("The object, as Kind/name.", 320),
  objectUid: text("UID of that object.", 64),
  during: REPLICAS.meta(meta("The value until then: written by the step, or left as it was found.")),
  restore: REPLICAS.meta(meta("The value from then on.")),
  onlyWhile: ChangeCondition.optional(),
};

export const TemporaryChange = z
  .object({
    ...WHAT,
    found: REPLICAS.meta(meta("The value that was found.")),
    holdFor: duration("How long it stays after the end of the step."),
  })
  .meta(meta("Something that a step changes, or leaves, for a time only."));
export type TemporaryChange = z.output<typeof TemporaryChange>;

export const LedgerDue = z
  .object({
    ...WHAT,
    dueAt: time("When it is finished."),
    request: objectName("The request whose step made it."),
    requestUid: text("UID of that request.", 64),
    step: dnsLabel("Name of the step."),
    serviceAccountName: objectName("The ServiceAccount that made it, and finishes it."),
  })
  .meta(
    meta("A temporary change that is not finished; nothing is written if the object is not as it was left."),
  );
export type LedgerDue = z.output<typeof LedgerDue>;
