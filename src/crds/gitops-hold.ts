import { z } from "zod";
import { atomicList, meta, objectName, text, time } from "./common.ts";

/** What a policy says about objects that a GitOps tool would set back. */
export const GitOpsMode = z
  .enum(["Refuse", "Hold"])
  .meta(
    meta(
      "Refuse: an object that Argo CD or Flux would set back is not rolled back. Hold: the tool is stopped first, where its object allows that by the annotation rollback.llm-research-lab.io/consent, until Git agrees.",
    ),
  );
export type GitOpsMode = z.output<typeof GitOpsMode>;

export const GitOpsOwnerKind = z
  .enum(["Application", "Kustomization", "HelmRelease"])
  .meta(meta("Application of Argo CD, Kustomization or HelmRelease of Flux."));
export type GitOpsOwnerKind = z.output<typeof GitOpsOwnerKind>;

/** What stood in the field before a hold. */
export const FoundValue = z
  .enum(["Absent", "True", "False"])
  .meta(meta("What the field held before; put back exactly at the end."));
export type FoundValue = z.output<typeof FoundValue>;

const OWNER = {
  kind: GitOpsOwnerKind,
  namespace: objectName("Its namespace."),
  name: objectName("Its name."),
  uid: text("Its UID.", 64),
  found: FoundValue,
};

export const PlannedHold = z
  .object({
    ...OWNER,
    objects: z
      .array(text("An object of the plan, as Kind/name.", 320))
      .min(1)
      .max(64)
      .meta(meta("What of the plan it would set back.", atomicList)),
    chain: z
      .array(text("An object, as Kind namespace/name.", 400))
      .max(8)
      .optional()
      .meta(meta("What makes the owner itself, nearest first.", atomicList)),
    confirmBy: text(
      "The Application that must be seen to leave the hold alone, as namespace/name.",
      320,
    ).optional(),
  })
  .meta(meta("A GitOps tool's object that is stopped before the first change."));
export type PlannedHold = z.output<typeof PlannedHold>;

export const HoldStatus = z
  .object({
    ...OWNER,
    objects: PlannedHold.shape.objects,
    confirmBy: PlannedHold.shape.confirmBy,
    state: z
      .enum(["Setting", "Held", "Released", "Lost"])
      .meta(
        meta(
          "Setting: announced, perhaps not stored yet. Held: it stands. Released: what was found is back. Lost: somebody else ended it.",
        ),
      ),
    since: time("When it was announced."),
    heldAt: time("When it was seen to stand.").optional(),
    endedAt: time("When it ended.").optional(),
    endReason: text("Why it ended, one word in CamelCase.", 63).optional(),
    message: text("What it waits for, or how it ended.", 1024).optional(),
  })
  .meta(meta("A hold on a GitOps tool's object."));
export type HoldStatus = z.output<typeof HoldStatus>;

export const LedgerHold = z
  .object({
    ...OWNER,
    objects: PlannedHold.shape.objects,
    since: time("When it was announced."),
    request: objectName("The request that holds it."),
    requestUid: text("UID of that request.", 64),
  })
  .meta(meta("A hold that is open, and what stood there before."));
export type LedgerHold = z.output<typeof LedgerHold>;
