import { imagesOf } from "../../../src/workloads/revisions.ts";
import type { Deployment, ReplicaSet } from "../../../src/kube/well-known.ts";
import { DEPLOYMENT, NAMESPACE, type Release } from "../demo-layout.ts";
import { firstSince } from "./eyes.ts";
import type { Fact } from "./facts.ts";
import { see, type StoryStage, type } from "./stage.ts";

const TIMEOUT_MS = 60_000;

/** Ships a version exactly as a user would; resolves with the moment when the cluster had it. */
export async function ship(stage: StoryStage, release: Release): Promise<Fact> {
  const asked = Date.now();
  await type(stage, ["set", "image", `deployment/${DEPLOYMENT}`, `web=${release.image}`, "-n", NAMESPACE]);
  const { at } = await see(
    stage,
    `Deployment/${DEPLOYMENT} with ${release.image}`,
    () =>
      firstSince(
        stage.eyes.deployments,
        asked,
        (deployment) => deployment.metadata.name === DEPLOYMENT && runs(deployment, release),
      ),
    { timeoutMs: TIMEOUT_MS },
  );
  const fails = `fails ${Math.round(release.failRatio * 100)}% of its requests`;
  return { name: "release", at, text: `${release.version}, which ${fails}` };
}

export function runs(object: Deployment | ReplicaSet, { image }: Release): boolean {
  return imagesOf(object.spec.template).includes(image);
}

/** All pods are of the newest template, and available: what `kubectl rollout status` waits for. */
export function isComplete({ metadata, spec, status = {} }: Deployment): boolean {
  const wanted = spec.replicas ?? 1;
  return (
    (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    status.updatedReplicas === wanted &&
    status.replicas === wanted &&
    status.availableReplicas === wanted
  );
}
