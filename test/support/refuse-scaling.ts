import { openShop } from "./shop.ts";
import { until, type World } from "./world.ts";

/**
 * For steps that are planned and then refused: from now on the API server lets no Deployment `refused` be scaled, but
 * for dry runs. Waits until it does so.
 */
export async function refuseScaling(world: World): Promise<void> {
  const shop = await openShop(world, "refused-probe");
  await shop.open("refused");
  await world.kubectl(["apply", "-f", "-"], NO_SCALING);
  await until(
    "scaling is refused",
    () => world.kubectl.attempt(["scale", "deployment/refused", "--replicas=2", "-n", shop.namespace]),
    ({ code }) => code !== 0,
  );
}

const NO_SCALING = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-scaling}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [apps]
        apiVersions: [v1]
        operations: [UPDATE]
        resources: [deployments/scale]
        resourceNames: [refused]
  validations:
    - expression: request.dryRun
      message: not to be scaled
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-scaling}
spec: {policyName: no-scaling, validationActions: [Deny]}
`;
