import { installArgoRolloutsCrds } from "./argo-rollouts.ts";
import type { Kubectl } from "./kubectl.ts";
import { awaitEstablished } from "./established.ts";

/** Makes the kinds of Argo Rollouts, Flagger and KEDA known to the API server, without their controllers. */
export async function installOwnerCrds(kubectl: Kubectl): Promise<void> {
  await installArgoRolloutsCrds(kubectl);
  await kubectl(["apply", "-f", "-"], OWNER_CRDS);
  const crds = OWNER_KINDS.map(([group, , , plural]) => `crd/${plural}.${group}`);
  await awaitEstablished(kubectl, [...crds]);
}

const OWNER_KINDS = [
  ["flagger.app", "v1beta1", "Canary", "canaries"],
  ["keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"],
] as const;

/** As much of the other CRDs as is needed to store their objects. */
const OWNER_CRDS = OWNER_KINDS.map(
  ([group, version, kind, plural]) => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ${plural}.${group}}
spec:
  group: ${group}
  scope: Namespaced
  names: {kind: ${kind}, plural: ${plural}, singular: ${kind.toLowerCase()}}
  versions:
    - name: ${version}
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`,
).join("---\n");
