import { isDeepStrictEqual } from "node:util";
import { cutText } from "../kube/conditions.ts";
import type { PodTemplateSpec } from "../kube/well-known.ts";

export const HASH_LABEL = "pod-template-hash";
/** Bounds of a plan's `changes`, as the schema has them. */
const MAX_PATHS = 64;
const LONGEST_PATH = 512;
export const RESTARTED_AT = "kubectl.kubernetes.io/restartedAt";

/** The template as a Deployment holds it: without the hash label that the controller adds to its ReplicaSets. */
export function withoutHashLabel(template: PodTemplateSpec): PodTemplateSpec {
  const labels = { ...template.metadata?.labels };
  delete labels[HASH_LABEL];
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** Whether two templates, read now from the same server, ask for the same pods. */
export function sameTemplate(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  return isDeepStrictEqual(comparable(a), comparable(b));
}

/** Whether two templates differ by nothing but a `kubectl rollout restart`: the same code and configuration. */
export function sameBesidesRestart(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  return isDeepStrictEqual(withoutRestart(comparable(a)), withoutRestart(comparable(b)));
}

/** Paths below the template that differ, such as `containers[app].image`: names and paths, never values. */
export function changedPaths(from: PodTemplateSpec, to: PodTemplateSpec): readonly string[] {
  const paths: string[] = [];
  collect(comparable(from), comparable(to), "template", paths);
  return paths
    .sort()
    .slice(0, MAX_PATHS)
    .map((path) => cutText(path, LONGEST_PATH));
}

/** What of a template is compared: the same for the same pods, whatever the server's form of it. */
export function comparable(template: PodTemplateSpec): PodTemplateSpec {
  return dropEmptyMetadata(withoutHashLabel(template));
}

/** `creationTimestamp: null`, `annotations: {}` and absent mean the same in a template's metadata. */
function dropEmptyMetadata(template: PodTemplateSpec): PodTemplateSpec {
  const metadata = Object.fromEntries(
    Object.entries(template.metadata ?? {}).filter(
      ([, value]) => value !== null && value !== undefined && !isEmptyObject(value),
    ),
  );
  return { ...template, metadata };
}

/** The template as it was before any `kubectl rollout restart`. */
export function withoutRestart(template: PodTemplateSpec): PodTemplateSpec {
  const annotations = { ...template.metadata?.annotations };
  delete annotations[RESTARTED_AT];
  return dropEmptyMetadata({ ...template, metadata: { ...template.metadata, annotations } });
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function collect(a: unknown, b: unknown, path: string, paths: string[]): void {
  if (isDeepStrictEqual(a, b)) return;
  if (Array.isArray(a) && Array.isArray(b) && [...a, ...b].every(isNamed)) {
    collectNamed(a, b, path, paths);
  } else if (isRecord(a) && isRecord(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      collect(a[key], b[key], `${path}.${key}`, paths);
    }
  } else {
    paths.push(path);
  }
}

function collectNamed(a: readonly Named[], b: readonly Named[], path: string, paths: string[]): void {
  for (const name of new Set([...a, ...b].map((entry) => entry.name))) {
    const find = (list: readonly Named[]) => list.find((entry) => entry.name === name);
    collect(find(a), find(b), `${path}[${name}]`, paths);
  }
}

interface Named {
  readonly name: string;
}

function isNamed(value: unknown): value is Named {
  return isRecord(value) && typeof value["name"] === "string";
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
