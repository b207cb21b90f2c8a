import {
  errorMessage,
  isApiNotServed,
  isForbidden,
  isNetworkError,
  isNotFound,
  isUnauthorized,
  KubeError,
} from "../kube/errors.ts";

/** A failure that is told in one sentence, with what to do next in it. */
export class CliError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CliError";
  }
}

/** One sentence about any failure: what is wrong and what to do next. Never a stack trace. */
export function explain(error: unknown, server: string): string {
  if (!(error instanceof KubeError)) return errorMessage(error);
  const { detail } = error.facts;
  if (isApiNotServed(error)) {
    return `the cluster does not know ${error.target.split(" ")[0]}: its CRD is not installed (an admin runs "kubectl apply -f deploy/crds")`;
  }
  if (isForbidden(error)) return forbidden(detail);
  if (isUnauthorized(error)) {
    return `the API server ${server} does not accept your credentials: log in again, then check with "kubectl auth whoami"`;
  }
  if (error.reason === "CredentialsFailed") return `${detail}: check the user of your kubeconfig's context`;
  if (isNetworkError(error)) {
    return `the API server ${server} does not answer (${detail}): check the server and the context of your kubeconfig`;
  }
  if (isNotFound(error)) return `${error.target} does not exist`;
  const unknown = error.facts.outcomeUnknown ? "; it may have taken effect all the same" : "";
  return `cannot ${error.verb} ${error.target}: ${detail}${unknown}`;
}

/** RBAC's own sentence holds all that a rule needs; source: apiserver `endpoints/handlers/responsewriters/errors.go`. */
const RBAC_SENTENCE =
  /User "(?<user>[^"]+)" cannot (?<verb>\w+) resource "(?<resource>[^"]+)" in API group "(?<group>[^"]*)"(?: in the namespace "(?<namespace>[^"]+)")?/;

function forbidden(detail: string): string {
  const found = RBAC_SENTENCE.exec(detail)?.groups;
  // Admission and quota also answer 403; their own words say more than ours could.
  if (found === undefined) return detail;
  const { user = "", verb = "", resource = "", group = "", namespace } = found;
  const where = namespace === undefined ? "in the cluster" : `in namespace ${namespace}`;
  const rule = `{apiGroups: ["${group}"], resources: [${resource}], verbs: [${verb}]}`;
  return `${user} may not ${verb} ${resource} ${where}: ask an admin for the rule ${rule}, or check all rights with "kubectl-rollback doctor"`;
}
