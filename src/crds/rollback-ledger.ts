import { z } from "zod";
import type { KindDefinition } from "./kind.ts";
import {
  atomicList,
  cel,
  dnsLabel,
  limitedDuration,
  meta,
  objectName,
  PodTemplateHash,
  text,
  time,
} from "./common.ts";
import { LedgerHold } from "./gitops-hold.ts";
import { Trigger } from "./rollback-request.ts";
import { LedgerDue } from "./temporary-change.ts";

export const LedgerTarget = z
  .object({
    group: text("API group.", 253),
    kind: text("Kind.", 63),
    namespace: objectName("Namespace."),
    name: objectName("Name."),
  })
  .meta(
    meta(
      "The object this ledger is about.",
      cel({ rule: "self == oldSelf", message: "target is immutable" }),
    ),
  );
export type LedgerTarget = z.output<typeof LedgerTarget>;

export const LedgerRelease = z
  .object({
    targetUid: text("UID of the Deployment.", 64),
    replicaSetUid: text("UID of the ReplicaSet.", 64),
    podTemplateHash: PodTemplateHash,
    revision: z.int().meta(meta("Revision number while it was live.")),
    startedAt: time("When it became current; absent if nobody saw it.").optional(),
    rollbackBy: objectName("The request whose product this release is, if it is one.").optional(),
  })
  .meta(meta("A release: a ReplicaSet while it carried one revision number."));
export type LedgerRelease = z.output<typeof LedgerRelease>;

export const LedgerKnownGood = z
  .object({
    replicaSetUid: text("UID of the ReplicaSet.", 64),
    podTemplateHash: PodTemplateHash,
    revision: z.int().meta(meta("Revision number while it baked.")),
    since: time("When it became known good."),
    evidence: text("What it was judged by.", 512),
  })
  .meta(meta("A revision that baked."));
export type LedgerKnownGood = z.output<typeof LedgerKnownGood>;

export const LedgerMark = z
  .object({
    replicaSetUid: text("UID of the ReplicaSet.", 64),
    podTemplateHash: PodTemplateHash,
    revision: z.int().meta(meta("Revision number when it was rolled back.")),
    at: time("When."),
    request: objectName("The request that rolled it back."),
    reason: text("Why.", 1024),
  })
  .meta(meta("A revision that was rolled back for cause."));
export type LedgerMark = z.output<typeof LedgerMark>;

export const LedgerExecuted = z
  .object({
    name: objectName("Name of the request."),
    uid: text("UID of the request that executed.", 64),
    specDigest: text("Digest of its spec.", 64),
    at: time("When its first act was announced."),
    outcome: z
      .enum(["Started", "Succeeded", "Failed", "Compensated", "Superseded", "Denied", "Expired", "Aborted"])
      .meta(meta("How it ended.")),
    reason: text("Reason of its Ready condition at the end.", 1024).optional(),
  })
  .meta(meta("A request that acted; a twin of it is not executed again."));
export type LedgerExecuted = z.output<typeof LedgerExecuted>;

export const LedgerAutomatic = z
  .object({
    request: objectName("Name of the automatic request."),
    uid: text("UID of the automatic request, once it acts.", 64).optional(),
    replicaSetUid: text("UID of the ReplicaSet that was live.", 64),
    podTemplateHash: PodTemplateHash,
    revision: z.int().meta(meta("Revision number of that release.")),
    attempt: z.int().meta(meta("Attempt at this release, from 1.")),
    action: z
      .enum(["Rollback", "Propose"])
      .optional()
      .meta(meta("Rollback acts at once, Propose waits for approval. Absent in old entries: Rollback.")),
    plan: dnsLabel("The policy's plan that it acts by. Absent in old entries: the first.").optional(),
    expiresAfter: limitedDuration("How long a proposal waits for approval.", "1s", "168h").optional(),
    runAfter: limitedDuration("After this a proposal runs unless it was denied.", "1s", "168h").optional(),
    at: time("When it was decided."),
    released: time("Start of the release that is undone.").optional(),
    answer: z
      .enum(["Denied", "Expired", "Aborted"])
      .optional()
      .meta(meta("How it ended without an act, where a person decided so or nobody answered.")),
    trigger: Trigger,
  })
  .meta(meta("An automatic rollback or proposal, recorded before its request is made."));
export type LedgerAutomatic = z.output<typeof LedgerAutomatic>;

export const LedgerDeath = z
  .object({
    replicaSetUid: text("UID of the ReplicaSet that controlled the pod.", 64),
    podUid: text("UID of the pod.", 64),
    podCreatedAt: time("When the pod was created."),
    container: dnsLabel("Name of the container."),
    id: text("What tells the runs of one container apart.", 64),
    reason: text("Why it ended, such as OOMKilled.", 128),
    at: time("When it ended."),
  })
  .meta(meta("The end of one run of a container."));
export type LedgerDeath = z.output<typeof LedgerDeath>;

export const LedgerScan = z
  .object({
    replicaSetUid: text("UID of the ReplicaSet.", 64),
    container: text("Name of the container.", 63),
    image: text("The image, by digest where the report has one.", 1024),
    scannedAt: time("When it was scanned."),
    ids: text(
      "IDs of its vulnerabilities, sorted, apart by spaces. Absent where there were too many to keep.",
      49_152,
    ).optional(),
  })
  .meta(meta("What a scanner found in an image: its own report expires after a day."));
export type LedgerScan = z.output<typeof LedgerScan>;

export const LedgerContent = z
  .object({
    digest: text("Digest of the content; its snapshot has it in its name.", 64),
    since: time("When it was first seen live, or put back."),
    release: text(
      "Release of the policy's target that was live then, as Kind/name revision N (hash).",
      512,
    ).optional(),
    knownGood: time(
      "When it became known good: live as long as a release bakes, with every signal Ok.",
    ).optional(),
    productOf: objectName("The request that put it back, if one did.").optional(),
    rolledBackBy: objectName("The request that took it away for cause.").optional(),
  })
  .meta(meta("What a ConfigMap held, as a hash."));
export type LedgerContent = z.output<typeof LedgerContent>;

export const RollbackLedgerSpec = z
  .object({
    target: LedgerTarget,
    releases: z.array(LedgerRelease).max(50).default([]).meta(meta("Releases, oldest first.", atomicList)),
    knownGood: z
      .array(LedgerKnownGood)
      .max(50)
      .default([])
      .meta(meta("Known good revisions, oldest first.", atomicList)),
    marks: z
      .array(LedgerMark)
      .max(50)
      .default([])
      .meta(meta("Revisions that were rolled back for cause.", atomicList)),
    executed: z.array(LedgerExecuted).max(1000).default([]).meta(meta("Requests that acted.", atomicList)),
    automatic: z
      .array(LedgerAutomatic)
      .max(200)
      .default([])
      .meta(meta("Automatic rollbacks of the last day and of the live release.", atomicList)),
    due: z
      .array(LedgerDue)
      .max(50)
      .optional()
      .meta(meta("Temporary changes that are to be finished.", atomicList)),
    holds: z
      .array(LedgerHold)
      .max(50)
      .optional()
      .meta(meta("GitOps tools' objects that are stopped until Git agrees.", atomicList)),
    deaths: z
      .array(LedgerDeath)
      .max(1000)
      .optional()
      .meta(
        meta(
          "Container deaths of the last day, oldest first, at most 100 for each reason; kept where a signal counts deaths.",
          atomicList,
        ),
      ),
    scans: z
      .array(LedgerScan)
      .max(16)
      .optional()
      .meta(
        meta(
          "The newest scan of each container's image; kept where a signal reads vulnerability reports.",
          atomicList,
        ),
      ),
    contents: z
      .array(LedgerContent)
      .max(50)
      .optional()
      .meta(meta("Of a ConfigMap: what it held, oldest first; the index of its snapshots.", atomicList)),
  })
  .meta(meta("What must outlive a status: facts about one target. Written by the operator only."));
export type RollbackLedgerSpec = z.output<typeof RollbackLedgerSpec>;

export const RollbackLedgerKind: KindDefinition = {
  kind: "RollbackLedger",
  plural: "rollbackledgers",
  singular: "rollbackledger",
  shortNames: ["rbl"],
  description:
    "A RollbackLedger holds what must outlive a request about one target: releases, known good revisions, marks, executed requests. Written by the operator only.",
  spec: RollbackLedgerSpec,
  columns: [
    { name: "Kind", type: "string", jsonPath: ".spec.target.kind" },
    { name: "Target", type: "string", jsonPath: ".spec.target.name" },
    { name: "Live", type: "integer", jsonPath: ".spec.releases[-1:].revision" },
    { name: "Known-Good", type: "integer", jsonPath: ".spec.knownGood[-1:].revision" },
    { name: "Rolled-Back", type: "integer", jsonPath: ".spec.marks[-1:].revision" },
    { name: "Last-Request", type: "string", jsonPath: ".spec.executed[-1:].name" },
    { name: "Outcome", type: "string", jsonPath: ".spec.executed[-1:].outcome" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
};
