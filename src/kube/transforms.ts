import { stripBookkeeping } from "./store.ts";
import type { Deployment } from "./well-known.ts";

/**
 * A Deployment for the cache: without its pod template, which is most of it. Nothing that is put back is ever taken
 * from a cache, so nothing is lost.
 */
export function stripDeployment(object: Deployment): Deployment {
  const stripped = stripBookkeeping(object);
  return { ...stripped, spec: { ...stripped.spec, template: { spec: { containers: [] } } } };
}
