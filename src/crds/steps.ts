import { z } from "zod";
import { CanaryStep } from "./canary-step.ts";
import {
  BuiltInWorkloadKind,
  cel,
  dnsLabel,
  limitedDuration,
  listMap,
  meta,
  objectName,
  text,
  WorkloadKind,
} from "./common.ts";
import { CheckStep } from "./verification.ts";

export const ImagePin = z
  .object({
    container: dnsLabel("Name of the container or init container."),
    image: text("The image, as it is written in the pod template.", 512).min(1),
  })
  .meta(meta("One image of one container; everything else of the live template stays."));
export type ImagePin = z.output<typeof ImagePin>;

export const WorkloadTo = z
  .object({
    strategy: z
      .enum(["LastKnownGood", "Previous"])
      .optional()
      .meta(
        meta(
          "LastKnownGood: the newest revision that baked. Previous: the newest older revision with another template that was not itself rolled back.",
        ),
      ),
    revision: z
      .int()
      .min(1)
      .max(2_147_483_647)
      .optional()
      .meta(meta("Revision number as `kubectl rollout history` shows it.")),
    image: ImagePin.optional(),
  })
  .meta(
    meta(
      "Where to go back to; exactly one member. An `image` must occur in the workload's history for that container, or in the policy's `allowedImages`.",
      cel({
        rule: "[has(self.strategy), has(self.revision), has(self.image)].filter(x, x).size() == 1",
        message: "must have exactly one of `strategy`, `revision`, `image`",
      }),
    ),
  );
export type WorkloadTo = z.output<typeof WorkloadTo>;

export const WorkloadStep = z
  .object({
    kind: WorkloadKind.optional(),
    name: objectName(
      "Name of the workload, in the namespace of the request. Default: the policy's target.",
    ).optional(),
    to: WorkloadTo.default({ strategy: "LastKnownGood" }),
  })
  .meta(
    meta(
      "Put a workload's pod template back.",
      cel({
        rule: "has(self.kind) == has(self.name)",
        message: "must have both `kind` and `name`, or neither",
      }),
    ),
  );
export type WorkloadStep = z.output<typeof WorkloadStep>;

export const REPLICAS = z.int().min(0).max(2_147_483_647);

export const ScaleStep = z
  .object({
    kind: z.enum(["Deployment", "StatefulSet"]).meta(meta("Kind of the workload.")),
    name: objectName("Name of the workload, in the namespace of the request."),
    replicas: REPLICAS.meta(meta("How many pods are wanted; 0 takes all of them away.")),
  })
  .meta(meta("Set a workload's number of replicas."));
export type ScaleStep = z.output<typeof ScaleStep>;

export const RestartStep = z
  .object({
    kind: BuiltInWorkloadKind,
    name: objectName("Name of the workload, in the namespace of the request."),
  })
  .meta(meta("Replace all pods of a workload by fresh ones, as `kubectl rollout restart` does."));
export type RestartStep = z.output<typeof RestartStep>;

/** A label's value, as a selector names it. */
function color(description: string) {
  return z
    .string()
    .min(1)
    .max(63)
    .regex(/^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/)
    .meta(meta(description));
}

export const BlueGreenColor = z
  .object({
    color: color("The colour: the label's value."),
    kind: z.enum(["Deployment", "StatefulSet"]).meta(meta("Kind of its workload.")),
    name: objectName("Name of its workload, in the namespace of the request."),
  })
  .meta(meta("A colour and the workload whose pods have it."));
export type BlueGreenColor = z.output<typeof BlueGreenColor>;

export const BlueGreenStep = z
  .object({
    service: objectName("Name of the Service, in the namespace of the request."),
    label: z
      .string()
      .min(1)
      .max(317)
      .regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/)
      .meta(meta("Key of the Service's selector whose value is the colour, such as `version`.")),
    to: color("The colour that is to get the traffic."),
    colors: z
      .array(BlueGreenColor)
      .min(2)
      .max(4)
      .meta(meta("Each colour with its workload; nothing is guessed from names.", listMap("color"))),
    replicas: REPLICAS.min(1)
      .optional()
      .meta(
        meta(
          "How many Ready pods the colour must have before it gets the traffic. Default: as many as the live colour wants.",
        ),
      ),
    holdFor: limitedDuration(
      "How long the old colour stays ready to take the traffic back, and a raised minReplicas stays raised.",
      "0s",
      "168h",
    ).default("1h"),
    afterHold: z
      .enum(["ScaleDown", "Keep"])
      .default("ScaleDown")
      .meta(meta("What becomes of the old colour then: 0 replicas, or it is left as it is.")),
  })
  .meta(
    meta(
      "Give a Service's traffic to the pods of another colour, by its selector.",
      cel(
        {
          rule: "self.colors.exists(c, c.color == self.to)",
          message: "`to` must be one of `colors`",
        },
        {
          rule: "self.colors.all(c, self.colors.exists_one(d, d.kind == c.kind && d.name == c.name))",
          message: "each of `colors` must have a workload of its own",
        },
      ),
    ),
  );
export type BlueGreenStep = z.output<typeof BlueGreenStep>;
const MAP_KEY = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[-._a-zA-Z0-9]+$/)
  .meta(meta("A key of the ConfigMap."));

/** Longer values belong into a snapshot: a request is stored with them. */
const MapValue = z.string().max(65_536).meta(meta("A value, never shown in a status, an event or a log."));

const Restart = z
  .enum(["Always", "Never"])
  .default("Always")
  .meta(
    meta(
      "Always: workloads whose pods use it are restarted once, but those that a reloader or a later step restarts. Never: they go on with what they have read.",
    ),
  );

export const ConfigMapTo = z
  .object({
    strategy: z
      .enum(["LastKnownGood", "Previous"])
      .optional()
      .meta(
        meta(
          "LastKnownGood: the newest other content that baked. Previous: the newest other content that was not itself rolled back.",
        ),
      ),
    snapshot: objectName("Name of a snapshot of this ConfigMap.").optional(),
    values: z
      .record(MAP_KEY, MapValue)
      .optional()
      .meta(
        meta("Keys with the values that they are to have; other keys stay.", {
          maxProperties: 32,
          minProperties: 1,
        }),
      ),
  })
  .meta(
    meta(
      "Which content is put back; exactly one member.",
      cel({
        rule: "[has(self.strategy), has(self.snapshot), has(self.values)].filter(x, x).size() == 1",
        message: "must have exactly one of `strategy`, `snapshot`, `values`",
      }),
    ),
  );
export type ConfigMapTo = z.output<typeof ConfigMapTo>;

export const ConfigMapStep = z
  .object({
    name: objectName("Name of the ConfigMap, in the namespace of the request."),
    to: ConfigMapTo.default({ strategy: "LastKnownGood" }),
    restart: Restart,
  })
  .meta(meta("Put the content of a ConfigMap back."));
export type ConfigMapStep = z.output<typeof ConfigMapStep>;

export const ConfigMapFlag = z
  .object({
    name: objectName("Name of the ConfigMap, in the namespace of the request."),
    key: MAP_KEY,
    value: MapValue,
  })
  .meta(meta("One key of a ConfigMap, which must be there."));
export type ConfigMapFlag = z.output<typeof ConfigMapFlag>;

export const FeatureFlagStep = z
  .object({ configMap: ConfigMapFlag })
  .meta(meta("Set a feature flag, where it is kept."));
export type FeatureFlagStep = z.output<typeof FeatureFlagStep>;

export const RequestStep = z
  .object({
    name: dnsLabel("Name of the step, unique in the request."),
    timeout: limitedDuration("How long the step may take until its change is complete.", "1s", "24h").default(
      "5m",
    ),
    workload: WorkloadStep.optional(),
    scale: ScaleStep.optional(),
    restart: RestartStep.optional(),
    blueGreen: BlueGreenStep.optional(),
    canary: CanaryStep.optional(),
    configMap: ConfigMapStep.optional(),
    featureFlag: FeatureFlagStep.optional(),
    check: CheckStep.optional(),
  })
  .meta(
    meta(
      "One step; exactly one kind of step besides the name.",
      cel(
        {
          rule: "[has(self.workload), has(self.scale), has(self.restart), has(self.blueGreen), has(self.canary), has(self.configMap), has(self.featureFlag), has(self.check)].filter(x, x).size() == 1",
          message:
            "must have exactly one of `workload`, `scale`, `restart`, `blueGreen`, `canary`, `configMap`, `featureFlag`, `check`",
        },
        {
          rule: "!has(self.canary) || duration(self.canary.drain) < duration(self.timeout)",
          message: "`drain` must be shorter than the step's `timeout`",
        },
      ),
    ),
  );
export type RequestStep = z.output<typeof RequestStep>;

/** A list of steps in their order, as requests and the plans of policies have it. */
export function steps(description: string) {
  return z
    .array(RequestStep)
    .min(1)
    .max(20)
    .meta(meta(description, listMap("name")));
}

/** For a spec that has steps: checks alone roll nothing back. */
export const HAS_A_CHANGING_STEP = {
  rule: "!has(self.steps) || self.steps.exists(s, !has(s.check))",
  message: "must have a step that changes something besides those that `check`",
} as const;
