import { isDeepStrictEqual } from "node:util";
import type { PodTemplateSpec, Service } from "../../kube/well-known.ts";
import { findPort } from "../../workloads/find-port.ts";
import { imagesOf } from "../../workloads/revisions.ts";
import { selects, type Selector } from "../selects.ts";

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/** What keeps the pods of a template from serving the Service under the new selector, if anything does. Pure. */
export function unfit(
  service: Service,
  selector: Selector,
  template: PodTemplateSpec,
  workload: string,
): Refusal | undefined {
  const object = `Service/${service.metadata.name}`;
  const labels = template.metadata?.labels ?? {};
  if (!selects(selector, labels)) {
    const lacking = Object.entries(selector)
      .filter(([key, value]) => labels[key] !== value)
      .map(([key, value]) => `${key}=${value}`);
    return {
      reason: "SelectorMismatch",
      message: `${object} would select no pod of ${workload}: its pod template lacks ${lacking.join(", ")}; add these labels to it, or name the workload that has them`,
    };
  }
  const lost = (service.spec.ports ?? []).find((port) => findPort(template.spec, port) === undefined);
  if (lost === undefined) return undefined;
  return {
    reason: "PortNotFound",
    message: `${object} sends port ${lost.name ?? lost.port} to a container port named ${lost.targetPort}, which ${workload} has not: give it that port`,
  };
}

/** Whether two colours run the same; labels and annotations do not count, as a colour is one. Pure. */
export function sameVersion(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  return isDeepStrictEqual(a.spec, b.spec);
}

/** What a person should know of two versions that are not quite the same. Pure. */
export function versionWarnings(a: PodTemplateSpec, b: PodTemplateSpec): readonly string[] {
  const images = imagesOf(a);
  return isDeepStrictEqual(images, imagesOf(b))
    ? [`both colours run the same image ${images.join(", ")}: only their configuration differs`]
    : [];
}
