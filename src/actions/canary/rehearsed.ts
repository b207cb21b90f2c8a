import { errorMessage, isForbidden, isInvalid, isNotFound } from "../../kube/errors.ts";
import { refused, type Refusal } from "./refusal.ts";

/** What the API server says to a dry run: admission webhooks and policies speak up there. Throws KubeError. */
export async function rehearsed<T>(
  dryRun: Promise<T>,
  title: string,
): Promise<{ readonly kind: "Accepted"; readonly answer: T } | Refusal> {
  try {
    return { kind: "Accepted", answer: await dryRun };
  } catch (error) {
    if (!isForbidden(error) && !isInvalid(error) && !isNotFound(error)) throw error;
    return refused(
      "DryRunRefused",
      `${title}: the API server would refuse the change, or it was changed while it was looked at: ${errorMessage(error)}`,
    );
  }
}
