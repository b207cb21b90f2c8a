import { BuiltInWorkloadKind } from "../crds/common.ts";
import type { KubeClient } from "../kube/client.ts";
import type { PodTemplateSpec } from "../kube/well-known.ts";
import { asWorkload, WORKLOAD_TYPES, workloadTitle, type LiveWorkload } from "../workloads/workload.ts";
import { onlyKey, type Content } from "./content.ts";
import type { Place } from "./place.ts";
import { usesOf, type UseKind } from "./uses.ts";

/** A workload whose pods use a ConfigMap. */
export interface Consumer {
  /** `Deployment/web`. */
  readonly title: string;
  readonly workload: LiveWorkload;
  readonly uses: readonly UseKind[];
}

/** Workloads whose pods use the ConfigMap `name`, or one key of it, by their titles. Throws KubeError. */
export async function consumersOf(place: Place, name: string, key?: string): Promise<readonly Consumer[]> {
  const lists = await Promise.all(
    BuiltInWorkloadKind.options.map((kind) => workloadsOf(place.executor, kind, place)),
  );
  return lists
    .flat()
    .flatMap((workload) => {
      const uses = usesOf(workload.object.spec.template, name, key);
      const title = workloadTitle({ kind: workload.kind, name: workload.object.metadata.name });
      return uses.length === 0 ? [] : [{ title, workload, uses }];
    })
    .toSorted((a, b) => (a.title < b.title ? -1 : 1));
}

async function workloadsOf(
  executor: KubeClient,
  kind: BuiltInWorkloadKind,
  { namespace, signal }: Place,
): Promise<readonly LiveWorkload[]> {
  const { items } = await executor.list(WORKLOAD_TYPES[kind], { namespace, signal });
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map((object) => asWorkload(kind, object));
}

/** Keys of the ConfigMap `name` without which pods of the template do not start, and which `content` lacks. */
export function missingKeys(template: PodTemplateSpec, name: string, content: Content): readonly string[] {
  const { initContainers = [], containers, volumes = [] } = template.spec;
  const inEnv = [...initContainers, ...containers]
    .flatMap(({ env = [] }) => env)
    .flatMap(({ valueFrom }) => {
      const ref = valueFrom?.configMapKeyRef;
      return ref?.name === name && ref.optional !== true ? [ref.key] : [];
    });
  const inFiles = volumes
    .flatMap(({ configMap, projected }) => [
      configMap,
      ...(projected?.sources ?? []).map((each) => each.configMap),
    ])
    .flatMap((source) => {
      const { items = [] } = (source ?? {}) as { readonly items?: readonly { readonly key: string }[] };
      return source?.name === name && source.optional !== true ? items.map(({ key }) => key) : [];
    });
  const isThere = (key: string) =>
    onlyKey(content, key) !== undefined || Object.hasOwn(content.binaryData, key);
  return [...new Set([...inEnv, ...inFiles])].filter((key) => !isThere(key));
}
