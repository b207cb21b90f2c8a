import { z } from "zod";
import { atomicList, cel, duration, limitedDuration, meta, objectName, text } from "./common.ts";

/** The name or the number of a port. */
const ServicePort = z.union([z.int().min(1).max(65_535), z.string().min(1).max(63)]).meta(
  meta("Name or number of a port of the Service. Needed when it has several.", {
    "x-kubernetes-int-or-string": true,
    maxLength: 63,
    ...cel({
      rule: "type(self) == int ? self >= 1 && self <= 65535 : string(self).matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message: "must be the name of a port, or a number from 1 to 65535",
    }),
  }),
);

/** What src/kube/probe-path.ts takes; said here so that the API server refuses the rest at once. */
const ProbePath = z
  .string()
  .min(1)
  .max(256)
  .regex(
    /^\/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*(\?([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?$/,
  )
  .meta(
    meta(
      "Absolute path, with a query if needed; no host, no dot segments.",
      cel({
        rule: "!self.matches('^[^?]*(//|/([.]|%2[eE]){1,2}(/|[?]|$)|%(2[fF]|5[cC]|25|[01][0-9a-fA-F]|7[fF]))')",
        message: "must have no empty or dot segments, and no escaped separators, controls or percent signs",
      }),
    ),
  );

/**
 * The same as one pattern: a segment has something besides dots, or more than two of them. In the plans of a policy a
 * rule about each of these many paths would cost more than the API server allows.
 */
const SmokePath = z
  .string()
  .min(1)
  .max(256)
  .regex(smokePath())
  .meta(
    meta(
      "Absolute path, with a query if needed; no host, no empty or dot segments, no escaped separators, controls or percent signs.",
    ),
  );

function smokePath(): RegExp {
  const dot = String.raw`(\.|%2[eE])`;
  const escape = "%([3468-9a-fA-F][0-9a-fA-F]|2[0-46-9a-dA-D]|5[0-9abd-fABD-F]|7[0-9a-eA-E])";
  const other = String.raw`([A-Za-z0-9_~!$&'()*+,;=:@-]|${escape})`;
  const segment = `(${dot}*${other}(${dot}|${other})*|${dot}{3,})`;
  const query = String.raw`(\?([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?`;
  return new RegExp(`^/(${segment}(/${segment})*/?)?${query}$`);
}

const timeout = limitedDuration(
  "How long one request may take. A pod that has not begun to answer by then gives no verdict.",
  "100ms",
  "30s",
).default("5s");

const service = objectName("Name of a Service of this namespace whose Ready pods are asked, each by itself.");

const Expectation = z
  .object({
    status: z
      .array(z.int().min(200).max(599).meta(meta("An HTTP status.")))
      .min(1)
      .max(16)
      .default([200])
      .meta(
        meta(
          "The answer must have one of these. A redirect is not followed: it is its own status.",
          atomicList,
        ),
      ),
    body: z
      .object({ equals: text("The whole body; line breaks at its end do not count.", 1_024) })
      .optional()
      .meta(meta("What the body must be.")),
    json: z
      .object({
        pointer: z
          .string()
          .max(256)
          .regex(/^(\/([^~/]|~[01])*)*$/)
          .meta(meta("Where in the body: a JSON pointer (RFC 6901), such as `/status`.")),
        equals: text("The text there; a number or boolean is compared as JSON writes it.", 1_024),
      })
      .optional()
      .meta(meta("What a value in a JSON body must be.")),
  })
  .default({ status: [200] })
  .meta(meta("What a good answer is; all of it must hold."));

export const HttpCheck = z
  .object({
    service,
    port: ServicePort.optional(),
    path: ProbePath,
    expect: Expectation,
    timeout,
    latency: duration("Answers that took longer are bad. Default: no limit but the timeout.", {
      rule: "duration(self) > duration('0s')",
      message: "must be more than 0s",
    }).optional(),
    passes: z
      .int()
      .min(1)
      .max(10)
      .default(1)
      .meta(meta("How many of the requests to a pod must be answered well.")),
    of: z
      .int()
      .min(1)
      .max(10)
      .default(1)
      .meta(meta("How many requests are made to a pod at most, in each sample.")),
  })
  .meta(
    meta(
      "Every Ready pod behind a Service answers a GET as expected. The request goes through the API server, without credentials.",
      cel(
        { rule: "self.passes <= self.of", message: "`passes` must not be more than `of`" },
        {
          rule: "duration(self.timeout).getSeconds() * self.of <= 60",
          message: "`of` times `timeout` must not be more than 60s: that is how long a sample may take",
        },
        {
          rule: "!has(self.latency) || duration(self.latency) <= duration(self.timeout)",
          message: "`latency` must not be longer than `timeout`",
        },
      ),
    ),
  );
export type HttpCheck = z.output<typeof HttpCheck>;

export const SmokeCheck = z
  .object({
    service,
    port: ServicePort.optional(),
    requests: z
      .array(SmokePath)
      .min(1)
      .max(20)
      .meta(meta("Paths, each asked of one Ready pod by GET.", atomicList)),
    timeout,
  })
  .meta(meta("Every path is answered with a status from 200 to 299."));
export type SmokeCheck = z.output<typeof SmokeCheck>;
