import { z } from "zod";
import { cel, limitedDuration, meta } from "./common.ts";

/**
 * What the kubelet's or the runtime's word for a container's end can be. Ends that say nothing of the release (evicted,
 * lost with its node) are not among them.
 */
export const TerminatedReason = z
  .enum(["OOMKilled", "Error", "Completed", "StartError", "ContainerCannotRun"])
  .meta(
    meta(
      "Container deaths with this reason: OOMKilled (out of memory), Error (exit code other than 0), Completed (exit code 0), StartError and ContainerCannotRun (the process could not be started).",
    ),
  );
export type TerminatedReason = z.output<typeof TerminatedReason>;

export const WaitingReason = z
  .enum([
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
  ])
  .meta(
    meta(
      "Pods with a container that waits for this reason. ImagePullBackOff and ErrImagePull are one: the kubelet changes between them. A crash-looping container counts through its short runs too, until it has run for a minute.",
    ),
  );
export type WaitingReason = z.output<typeof WaitingReason>;

export const FailingProbe = z
  .enum(["Readiness", "Startup"])
  .meta(
    meta(
      "Pods with a container whose probe goes on failing for longer than it allows itself. A failed liveness probe leaves no trace in a pod's status: watch `terminated: Error` or `waiting: CrashLoopBackOff`.",
    ),
  );
export type FailingProbe = z.output<typeof FailingProbe>;

export const PodSignal = z
  .object({
    terminated: TerminatedReason.optional(),
    waiting: WaitingReason.optional(),
    failingProbe: FailingProbe.optional(),
    window: limitedDuration(
      "For `terminated`: how far back deaths are counted. Default: 15m.",
      "1s",
      "24h",
    ).optional(),
    distinctPods: z
      .int()
      .min(1)
      .max(1_000)
      .default(1)
      .meta(meta("The value is 0 until so many different pods are concerned.")),
  })
  .meta(
    meta(
      "A count from the status of the workload's own pods that started after the live release: container deaths for `terminated`, else pods.",
      cel(
        {
          rule: "[has(self.terminated), has(self.waiting), has(self.failingProbe)].filter(x, x).size() == 1",
          message: "must have exactly one of `terminated`, `waiting`, `failingProbe`",
        },
        {
          rule: "!has(self.window) || has(self.terminated)",
          message:
            "`window` is for `terminated`; how long a state must last says `for` of a row of the matrix",
        },
      ),
    ),
  );
export type PodSignal = z.output<typeof PodSignal>;
