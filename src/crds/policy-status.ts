import { z } from "zod";
import {
  Conditions,
  dnsLabel,
  listMap,
  meta,
  objectName,
  PodTemplateHash,
  Severity,
  text,
  time,
} from "./common.ts";
import { RowAction } from "./policy-matrix.ts";

const ReleaseStatus = z
  .object({
    revision: z
      .int()
      .meta(meta("Revision number of the Deployment, for information: revisions are renumbered.")),
    replicaSetUid: text("UID of the ReplicaSet.", 64),
    podTemplateHash: PodTemplateHash,
    startedAt: time("When this release became current; absent if nobody saw it.").optional(),
    knownGoodSince: time("Since when this very release is known good.").optional(),
  })
  .meta(meta("The live release of the target."));

export const SignalState = z
  .enum(["Ok", "Breach", "NoData", "Stale", "NaN", "InsufficientTraffic", "Unproven", "Ambiguous", "Error"])
  .meta(meta("Class of the newest sample; only Ok and Breach are verdicts."));
export type SignalState = z.output<typeof SignalState>;

export const RollbackPolicyStatus = z
  .object({
    observedGeneration: z.int().optional().meta(meta("Generation that these facts speak of.")),
    target: text("The target, as Kind/name.", 320).optional(),
    conditions: Conditions.optional(),
    signals: z
      .array(
        z
          .object({
            name: dnsLabel("Name of the signal."),
            state: SignalState,
            value: text("Value at the last transition, readable.", 64).optional(),
            since: time("When this state began."),
            detail: text("What the server answered, when it is not a value.", 512).optional(),
          })
          .meta(meta("State of one signal; written on transitions only.")),
      )
      .max(16)
      .optional()
      .meta(meta("State of every signal.", listMap("name"))),
    matrix: z
      .array(
        z
          .object({
            name: dnsLabel("Name of the row."),
            when: text("The condition, readable.", 256),
            action: RowAction.meta(meta("What happens.")),
            severity: Severity,
            plan: dnsLabel("The plan that it goes by."),
            hotfixDeadline: text("How long a hotfix is waited for.", 20).optional(),
          })
          .meta(meta("A row in force.")),
      )
      .max(32)
      .optional()
      .meta(
        meta("The rows in force: those of the spec, or the default ones for its signals.", listMap("name")),
      ),
    prepared: z
      .object({
        row: dnsLabel("The row that asked for it."),
        plan: dnsLabel("The plan."),
        digest: text("Digest of the plan, as a request would have it.", 64).optional(),
        message: text("What it would do, or why it could not.", 2048),
        since: time("Since when the row fires."),
      })
      .optional()
      .meta(meta("What a firing row of action Prepare has made ready: nothing runs, nothing waits.")),
    release: ReleaseStatus.optional(),
    rollbackTarget: text("What a rollback would go back to now.", 256).optional(),
    lastDecision: z
      .object({
        row: text("Name of the row.", 63),
        verdict: z.enum(["Rollback", "Propose", "Prepare", "Notify", "Held"]).meta(meta("What was decided.")),
        reason: text("The sentence that explains it.", 1024),
        attribution: text("Whether the last release is held responsible.", 32).optional(),
        at: time("When."),
        requestRef: objectName("The RollbackRequest that was made.").optional(),
      })
      .optional()
      .meta(meta("The newest decision.")),
  })
  .meta(
    meta("What the operator observed. Written by the operator only.", {
      default: { observedGeneration: -1 },
    }),
  );
export type RollbackPolicyStatus = z.output<typeof RollbackPolicyStatus>;
