import type { Container, PodTemplateSpec, Volume } from "../kube/well-known.ts";

/**
 * How running pods come to know of a change of a ConfigMap. Env: never, nor through a file that is mounted with
 * `subPath`. File: the kubelet renews it, a minute or more later.
 */
export type UseKind = "Env" | "SubPath" | "File";

/** How pods of this template use the ConfigMap `name`, or one key of it; each way once, optional references too. */
export function usesOf(template: PodTemplateSpec, name: string, key?: string): readonly UseKind[] {
  const { initContainers = [], containers, volumes = [] } = template.spec;
  const all = [...initContainers, ...containers];
  const mounted = new Set(volumes.filter((volume) => holds(volume, name, key)).map((volume) => volume.name));
  const mounts = all
    .flatMap(({ volumeMounts = [] }) => volumeMounts)
    .filter((each) => mounted.has(each.name));
  const found = new Set<UseKind>();
  if (all.some((container) => readsInEnv(container, name, key))) found.add("Env");
  if (mounts.some(isSubPath)) found.add("SubPath");
  if (mounts.some((mount) => !isSubPath(mount))) found.add("File");
  return [...found];
}

function readsInEnv({ env = [], envFrom = [] }: Container, name: string, key: string | undefined): boolean {
  return (
    envFrom.some(({ configMapRef }) => configMapRef?.name === name) ||
    env.some(({ valueFrom }) => {
      const ref = valueFrom?.configMapKeyRef;
      return ref?.name === name && (key === undefined || ref.key === key);
    })
  );
}

function holds({ configMap, projected }: Volume, name: string, key: string | undefined): boolean {
  const sources = [configMap, ...(projected?.sources ?? []).map((source) => source.configMap)];
  return sources.some((source) => source?.name === name && hasKey(source, key));
}

/** Without `items` every key is a file. */
function hasKey(source: object, key: string | undefined): boolean {
  const { items } = source as { readonly items?: readonly { readonly key: string }[] };
  return key === undefined || items === undefined || items.some((item) => item.key === key);
}

function isSubPath(mount: { readonly subPath?: string; readonly [field: string]: unknown }): boolean {
  return mount.subPath !== undefined || mount["subPathExpr"] !== undefined;
}
