import { KubeError } from "./errors.ts";
import { formatKey, resourceName, type ObjectKey, type ResourceType } from "./objects.ts";

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Looser than a DNS name: RBAC objects have colons. Never a path separator, an escape, a space or a control. */
const pathSegment = /^[A-Za-z0-9_:@~+=,.-]{1,253}$/;

/** URL path of a collection; an empty namespace means all namespaces. Throws KubeError BadName. */
export function collectionPath(type: ResourceType, namespace: string): string {
  const [group, version] = type.apiVersion.split("/");
  const root = version === undefined ? `/api/${group}` : `/apis/${group}/${version}`;
  if (namespace === "") return `${root}/${type.plural}`;
  if (!type.namespaced) throw badName(type, namespace, "is cluster-scoped and takes no namespace");
  if (!dnsLabel.test(namespace)) throw badName(type, namespace, "is not a valid namespace name");
  return `${root}/namespaces/${namespace}/${type.plural}`;
}

/** URL path of one object or of its subresource. Throws KubeError BadName. */
export function objectPath(type: ResourceType, key: ObjectKey, subresource?: string): string {
  if (type.namespaced && key.namespace === "") throw badName(type, key.name, "needs a namespace");
  if (!isPathSegment(key.name)) throw badName(type, key.name, "is not a valid object name");
  if (subresource !== undefined && !isPathSegment(subresource)) {
    throw badName(type, subresource, "is not a valid subresource");
  }
  const path = `${collectionPath(type, key.namespace)}/${encodeURIComponent(key.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** `deployments.apps shop/web`, for messages. */
export function targetOf(type: ResourceType, key: ObjectKey, subresource?: string): string {
  const target = `${resourceName(type)} ${formatKey(key)}`;
  return subresource === undefined ? target : `${target} (${subresource})`;
}

/** `deployments.apps in namespace shop`, for messages. */
export function collectionTarget(type: ResourceType, namespace: string): string {
  return namespace === "" ? resourceName(type) : `${resourceName(type)} in namespace ${namespace}`;
}

/** Checks a raw path for `getPath`: absolute, no dot segments, no query or fragment. Throws KubeError BadName. */
export function checkRawPath(path: string): string {
  const segments = path.split("/");
  const clean = path.startsWith("/") && /^[\x21-\x7e]*$/.test(path) && !/[?#\\]/.test(path);
  if (!clean || segments.some((segment) => isDotSegment(segment))) {
    throw nameError("get", path, path, "is not an absolute path without dot segments, query or fragment");
  }
  return path;
}

function isPathSegment(text: string): boolean {
  return pathSegment.test(text) && text !== "." && text !== "..";
}

function isDotSegment(segment: string): boolean {
  return /^(\.|%2e){1,2}$/i.test(segment);
}

function badName(type: ResourceType, name: string, problem: string): KubeError {
  return nameError(
    "address",
    `${resourceName(type)} ${JSON.stringify(name)}`,
    "",
    `${JSON.stringify(name)} ${problem}`,
  );
}

function nameError(verb: string, target: string, path: string, detail: string): KubeError {
  return new KubeError({
    code: 0,
    reason: "BadName",
    verb,
    target,
    path,
    detail,
    retryable: false,
    outcomeUnknown: false,
  });
}
