import type { PodTemplateSpec } from "../../kube/well-known.ts";
import { comparable, RESTARTED_AT, withoutRestart } from "../../workloads/template.ts";
import { digestOf } from "../digest.ts";

/**
 * Tells a template again, however often it was restarted. It lives as long as its request, minutes, so no later form
 * of the API is compared with it.
 */
export function templateDigest(template: PodTemplateSpec): string {
  return digestOf(withoutRestart(comparable(template)));
}

/** When the template's pods were last told to restart, as the annotation says. */
export function restartedAt(template: PodTemplateSpec): string | undefined {
  return template.metadata?.annotations?.[RESTARTED_AT];
}
