import type { PlannedTo } from "../../crds/rollback-request.ts";
import type { ImagePin } from "../../crds/steps.ts";
import type { PodTemplateSpec } from "../../kube/well-known.ts";
import { containersOf, imageOfContainer, withImage } from "../../workloads/containers.ts";
import type { Workload } from "../../workloads/read-workload.ts";
import { imagesOf, toRef, type Revision } from "../../workloads/revisions.ts";
import { sameTemplate } from "../../workloads/template.ts";

/** What a rollback puts in place. */
export interface Destination {
  /** The revision that has this very template; undefined for a pinned image that makes a new one. */
  readonly revision: Revision | undefined;
  readonly template: PodTemplateSpec;
  /** The change cause that describes the template, where the kind keeps one on the object. */
  readonly changeCause: string | undefined;
  readonly pin: ImagePin | undefined;
}

export function destinationOf(revision: Revision): Destination {
  return { revision, template: revision.template, changeCause: revision.changeCause, pin: undefined };
}

export type PinChoice =
  | { readonly kind: "Chosen"; readonly destination: Destination; readonly warnings: readonly string[] }
  | { readonly kind: "NothingToDo"; readonly message: string }
  | { readonly kind: "Refused"; readonly reason: string; readonly message: string };

/** How many names a message lists. */
const MAX_LISTED = 10;

/** The live template with one image replaced, if the image is known to the history or allowed. Pure. */
export function choosePin(
  pin: ImagePin,
  workload: Workload,
  live: Revision,
  allowedImages: readonly string[],
): PinChoice {
  const { template } = workload.object.spec;
  const { container, image } = pin;
  const now = imageOfContainer(template, container);
  if (now === undefined) {
    const names = containersOf(template).map(({ name }) => name);
    const message = `there is no container or init container ${container}; there are: ${names.join(", ")}`;
    return { kind: "Refused", reason: "ContainerNotFound", message };
  }
  if (now === image)
    return { kind: "NothingToDo", message: `container ${container} has image ${image} already` };
  const known = workload.revisions.flatMap((each) => imageOfContainer(each.template, container) ?? []);
  if (!known.includes(image) && !allowedImages.includes(image)) {
    const listed = [...new Set(known)].slice(0, MAX_LISTED).join(", ");
    const message = `image ${image} is neither in the history of container ${container} (${listed}) nor in the policy's allowedImages: name one of these, or have it added there`;
    return { kind: "Refused", reason: "ImageNotAllowed", message };
  }
  const pinned = withImage(template, container, image);
  const revision = workload.revisions.find((each) => sameTemplate(each.template, pinned));
  return {
    kind: "Chosen",
    destination: {
      revision,
      template: pinned,
      changeCause: revision === undefined ? live.changeCause : revision.changeCause,
      pin,
    },
    warnings: [
      revision === undefined
        ? `only the image of container ${container} changes; everything else of revision ${live.revision} stays`
        : `that is the template of revision ${revision.revision}, which is used again`,
    ],
  };
}

/** Identities for the plan. `templateDigest` where the change is not known by a revision's stored template. */
export function plannedTo(
  { revision, template, pin }: Destination,
  templateDigest: string | undefined,
): PlannedTo {
  return {
    ...(revision === undefined ? {} : toRef(revision)),
    images: imagesOf(template),
    ...(pin === undefined ? {} : { image: pin }),
    ...(templateDigest === undefined ? {} : { templateDigest }),
  };
}
