import type { CollectedList, ListOptions, ListPage } from "./client.ts";
import { isGone } from "./errors.ts";
import type { KubeObject, ResourceType } from "./objects.ts";
import { collectionPath, collectionTarget } from "./paths.ts";
import type { ResourceCall } from "./transport.ts";

/** A list answer on the wire. Items of built-in kinds come without apiVersion and kind. */
interface WireList<T> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly T[] | null;
}

/** Lists page by page. Throws isGone when the continue token expires half-way. */
export async function* listPages<T extends KubeObject>(
  type: ResourceType<T>,
  options: ListOptions,
  send: (call: ResourceCall) => Promise<unknown>,
): AsyncGenerator<ListPage<T>> {
  const namespace = options.namespace ?? "";
  let token: string | undefined;
  do {
    const answer = (await send({
      method: "GET",
      path: collectionPath(type, namespace),
      query: {
        limit: options.mayBeBehind === true ? undefined : String(options.limit ?? 500),
        resourceVersion: options.mayBeBehind === true ? "0" : undefined,
        continue: token,
        labelSelector: options.labelSelector,
        fieldSelector: options.fieldSelector,
      },
      idempotent: true,
      verb: "list",
      target: collectionTarget(type, namespace),
    })) as WireList<T>;
    token = answer.metadata.continue || undefined;
    // Missing for built-in kinds, and PartialObjectMetadata where only metadata was asked for.
    const { apiVersion, kind } = type;
    const items = (answer.items ?? []).map((item) => ({ ...item, apiVersion, kind }));
    const resourceVersion = answer.metadata.resourceVersion;
    yield token === undefined ? { items, resourceVersion } : { items, resourceVersion, continueToken: token };
  } while (token !== undefined);
}

/** All pages; starts again once when the continue token outlived the server's history (5 minutes by default). */
export async function collectPages<T>(pages: () => AsyncIterable<ListPage<T>>): Promise<CollectedList<T>> {
  for (let restarts = 0; ; restarts += 1) {
    try {
      return await collect(pages());
    } catch (error) {
      if (!isGone(error) || restarts > 0) throw error;
    }
  }
}

async function collect<T>(pages: AsyncIterable<ListPage<T>>): Promise<CollectedList<T>> {
  const items: T[] = [];
  let resourceVersion = "";
  for await (const page of pages) {
    for (const item of page.items) items.push(item);
    resourceVersion = page.resourceVersion;
  }
  return { items, resourceVersion };
}
