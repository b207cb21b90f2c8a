import { KubeError } from "./errors.ts";
import { formatKey, type ObjectKey } from "./objects.ts";

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const dnsSubdomain = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/**
 * The headers that make the server treat a request as coming from a service account, with the groups that its own
 * token would have: the server adds them itself when none is named, and naming them would need the right to
 * impersonate groups. Throws KubeError BadName: a name with a colon or a line break would say something else.
 */
export function impersonationHeaders(serviceAccount: ObjectKey): readonly (readonly [string, string])[] {
  const { namespace, name } = serviceAccount;
  if (!dnsLabel.test(namespace) || !dnsSubdomain.test(name)) {
    throw new KubeError({
      code: 0,
      reason: "BadName",
      verb: "impersonate",
      target: `serviceaccounts ${JSON.stringify(formatKey(serviceAccount))}`,
      path: "",
      detail: "it is not a valid namespace and name of a service account",
      retryable: false,
      outcomeUnknown: false,
    });
  }
  return [["impersonate-user", `system:serviceaccount:${namespace}:${name}`]];
}
