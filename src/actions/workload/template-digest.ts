import type { PodTemplateSpec } from "../../kube/well-known.ts";
import { comparable } from "../../workloads/template.ts";
import { digestOf } from "../digest.ts";

/**
 * Tells a template again that no revision holds yet: that of a pinned image, or one that the server completes when it
 * stores it. It lives as long as its plan, minutes, so no later form of the API is compared with it.
 */
export function templateDigest(template: PodTemplateSpec): string {
  return digestOf(comparable(template));
}
