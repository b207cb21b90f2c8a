import type {
  AccessAnswer,
  AccessAttributes,
  CallOptions,
  GetOptions,
  DeleteOptions,
  KubeClient,
  ListOptions,
  PatchOptions,
  PodGetOptions,
  WatchOptions,
  WriteOptions,
} from "./client.ts";
import type { Clock } from "./clock.ts";
import { isNotFound } from "./errors.ts";
import {
  objectKey,
  resourceName,
  type KubeObject,
  type NewObject,
  type ObjectKey,
  type ResourceType,
} from "./objects.ts";
import { checkRawPath, collectionPath, collectionTarget, objectPath, targetOf } from "./paths.ts";
import { checkProbePath } from "./probe-path.ts";
import { listPages, collectPages } from "./list.ts";
import { impersonationHeaders } from "./impersonation.ts";
import { patchBody, type Patch } from "./patch.ts";
import type { ResourceCall, Transport } from "./transport.ts";
import { decodeWatch } from "./watch.ts";
import { podType, selfSubjectAccessReviewType, type SelfSubjectAccessReview } from "./well-known.ts";

type Headers = readonly (readonly [string, string])[];

/** The server then leaves everything but the metadata out; watches send single objects. */
const PARTIAL_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const PARTIAL_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/** A client over a transport, acting as the transport's own identity. */
export function createKubeClient(options: {
  readonly transport: Transport;
  readonly clock: Clock;
}): KubeClient {
  return clientWith(options.transport, options.clock, []);
}

function clientWith(transport: Transport, clock: Clock, headers: Headers): KubeClient {
  function send(
    type: ResourceType,
    call: ResourceCall,
    options: CallOptions,
    accept?: string,
  ): Promise<unknown> {
    const { signal, deadlineMs } = options;
    const all: Headers = accept === undefined ? headers : [...headers, ["accept", accept]];
    return transport.request({ ...call, headers: all, resource: resourceName(type), signal, deadlineMs });
  }

  async function get<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    options: GetOptions,
  ): Promise<T> {
    const call = {
      method: "GET",
      path: objectPath(type, key, options.subresource),
      idempotent: true,
      verb: "get",
      target: targetOf(type, key, options.subresource),
    } as const;
    return (await send(type, call, options)) as T;
  }

  async function getMetadata(type: ResourceType, key: ObjectKey, options: CallOptions): Promise<KubeObject> {
    const call = {
      method: "GET",
      path: objectPath(type, key),
      idempotent: true,
      verb: "get",
      target: targetOf(type, key),
    } as const;
    return (await send(type, call, options, PARTIAL_METADATA)) as KubeObject;
  }

  async function tryGet<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, options: GetOptions) {
    try {
      return await get(type, key, options);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  function pages<T extends KubeObject>(type: ResourceType<T>, options: ListOptions) {
    const accept = options.metadataOnly === true ? PARTIAL_METADATA_LIST : undefined;
    return listPages<T>(type, options, (call) => send(type, call, options, accept));
  }

  function watch<T extends KubeObject>(type: ResourceType<T>, options: WatchOptions) {
    const namespace = options.namespace ?? "";
    const path = collectionPath(type, namespace);
    const target = collectionTarget(type, namespace);
    const query = {
      watch: "1",
      allowWatchBookmarks: "true",
      resourceVersion: options.resourceVersion,
      timeoutSeconds: String(options.timeoutSeconds),
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
    };
    const all: Headers = options.metadataOnly === true ? [...headers, ["accept", PARTIAL_METADATA]] : headers;
    const call = {
      method: "GET",
      path,
      query,
      headers: all,
      idempotent: true,
      verb: "watch",
      target,
    } as const;
    return decodeWatch<T>({
      identity: { verb: "watch", target, path, write: false },
      clock,
      stallMs: options.stallMs,
      onOpen: options.onOpen,
      signal: options.signal,
      open: (signal) => transport.stream({ ...call, resource: resourceName(type), signal }),
    });
  }

  async function create<T extends KubeObject>(
    type: ResourceType<T>,
    object: NewObject<T>,
    options: WriteOptions,
  ) {
    const { namespace = "", name, generateName = "" } = object.metadata;
    const call = {
      method: "POST",
      path: collectionPath(type, namespace),
      query: writeQuery(options),
      body: { ...object, apiVersion: type.apiVersion, kind: type.kind },
      idempotent: false,
      write: options.dryRun !== true,
      verb: "create",
      target: targetOf(type, { namespace, name: name ?? `${generateName}*` }),
    } as const;
    return (await send(type, call, options)) as T;
  }

  async function put<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions,
    subresource?: "status",
  ): Promise<T> {
    const key = objectKey(object);
    const call = {
      method: "PUT",
      path: objectPath(type, key, subresource),
      query: writeQuery(options),
      body: object,
      // A retry after a lost answer would meet its own write as a conflict, and a conflict means "someone else".
      idempotent: false,
      write: options.dryRun !== true,
      verb: "replace",
      target: targetOf(type, key, subresource),
    } as const;
    return (await send(type, call, options)) as T;
  }

  async function patch<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    patch: Patch,
    options: PatchOptions,
  ): Promise<T> {
    const call = {
      method: "PATCH",
      path: objectPath(type, key, options.subresource),
      query: { ...writeQuery(options), force: options.force === true ? "true" : undefined },
      ...patchBody(type, patch),
      idempotent: options.idempotent ?? patch.kind === "apply",
      write: options.dryRun !== true,
      verb: "patch",
      target: targetOf(type, key, options.subresource),
    } as const;
    return (await send(type, call, options)) as T;
  }

  async function remove(type: ResourceType, key: ObjectKey, options: DeleteOptions): Promise<void> {
    const call = {
      method: "DELETE",
      path: objectPath(type, key),
      // The body counts; in the query an audit log shows it, which leaves bodies out.
      query: writeQuery({ dryRun: options.dryRun, signal: options.signal }),
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        preconditions: options.preconditions,
        propagationPolicy: options.propagation,
        dryRun: options.dryRun === true ? ["All"] : undefined,
      },
      // With a UID a second try can only meet the same object; without, it could hit a successor of the same name.
      idempotent: options.preconditions?.uid !== undefined,
      write: options.dryRun !== true,
      verb: "delete",
      target: targetOf(type, key),
    } as const;
    await send(type, call, options);
  }

  async function evict(pod: ObjectKey, options: Omit<DeleteOptions, "propagation">): Promise<void> {
    const call = {
      method: "POST",
      path: objectPath(podType, pod, "eviction"),
      query: writeQuery(options),
      body: {
        apiVersion: "policy/v1",
        kind: "Eviction",
        metadata: { ...pod },
        deleteOptions: { preconditions: options.preconditions },
      },
      idempotent: false,
      write: options.dryRun !== true,
      verb: "evict",
      target: targetOf(podType, pod),
    } as const;
    await send(podType, call, options);
  }

  async function canI(attributes: AccessAttributes, options: CallOptions): Promise<AccessAnswer> {
    const type = selfSubjectAccessReviewType;
    const call = {
      method: "POST",
      path: collectionPath(type, ""),
      body: { apiVersion: type.apiVersion, kind: type.kind, spec: { resourceAttributes: attributes } },
      idempotent: true,
      write: false,
      verb: "create",
      target: resourceName(type),
    } as const;
    const { status } = (await send(type, call, options)) as SelfSubjectAccessReview;
    return { allowed: status?.allowed === true, reason: status?.reason || status?.evaluationError || "" };
  }

  async function getFromPod(pod: ObjectKey, port: number, path: string, options: PodGetOptions) {
    const { signal, deadlineMs, maxBytes } = options;
    const target = `${targetOf(podType, pod)} port ${port}`;
    const name = `${pod.name}:${port}`;
    const call = {
      method: "GET",
      path: `${objectPath(podType, { ...pod, name }, "proxy")}${checkProbePath(path)}`,
      headers: [...headers, ["accept", "*/*"]],
      idempotent: true,
      verb: "get",
      resource: "pods/proxy",
      target,
      signal,
      deadlineMs,
    } as const;
    return transport.exchange(call, maxBytes);
  }

  function getPath(
    path: string,
    query: Readonly<Record<string, string>>,
    options: CallOptions,
  ): Promise<unknown> {
    const { signal, deadlineMs } = options;
    return transport.request({
      method: "GET",
      path: checkRawPath(path),
      query,
      headers: [...headers, ["accept", "application/json, */*"]],
      signal,
      deadlineMs,
      idempotent: true,
      verb: "get",
      resource: "raw",
      target: path,
    });
  }

  return {
    as: (serviceAccount) => clientWith(transport, clock, impersonationHeaders(serviceAccount)),
    get,
    getMetadata,
    tryGet,
    pages,
    list: (type, options) => collectPages(() => pages(type, options)),
    watch,
    create,
    replace: (type, object, options) => put(type, object, options),
    replaceStatus: (type, object, options) => put(type, object, options, "status"),
    patch,
    delete: remove,
    evict,
    canI,
    getFromPod,
    getPath,
  };
}

function writeQuery(options: WriteOptions): Record<string, string | undefined> {
  return { dryRun: options.dryRun === true ? "All" : undefined, fieldManager: options.fieldManager };
}
