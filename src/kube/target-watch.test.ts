import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { KubeClient } from "./client.ts";
import type { KubeObject } from "./objects.ts";
import { TargetWatch } from "./target-watch.ts";
import { createFakeClock, until, type FakeClock } from "./testing/fake-clock.ts";
import { configMapType, type ConfigMap } from "./well-known.ts";

/** An API server with ConfigMaps that say in `data.of` to whom they belong. */
interface Served {
  readonly objects: Map<string, ConfigMap>;
  readonly lists: string[];
  readonly watches: Map<string, (object: ConfigMap) => void>;
  refuses: Error | undefined;
}

const CONFIG_MAPS = { apiVersion: "v1", kind: "ConfigMap" };
let version = 0;
let served: Served;
let clock: FakeClock;
let watch: TargetWatch<ConfigMap, KubeObject>;
let stop: AbortController;
let running: Promise<void>;

function configMap(namespace: string, name: string, of: string): ConfigMap {
  version += 1;
  const metadata = {
    namespace,
    name,
    uid: `${namespace}/${name}`,
    resourceVersion: String(version),
    creationTimestamp: "",
  };
  return { ...CONFIG_MAPS, metadata, data: { of, ballast: "x" } };
}

function put(object: ConfigMap): void {
  const { namespace = "", name } = object.metadata;
  served.objects.set(`${namespace}/${name}`, object);
  for (const [scope, push] of served.watches) if (scope === "" || scope === namespace) push(object);
}

const client = {
  async *pages(_: unknown, { namespace = "" }: { readonly namespace?: string }) {
    served.lists.push(namespace);
    if (served.refuses !== undefined) throw served.refuses;
    const items = [...served.objects.values()].filter(
      ({ metadata }) => namespace === "" || metadata.namespace === namespace,
    );
    yield { items, resourceVersion: String(version) };
  },
  async *watch(_: unknown, options: { readonly namespace?: string; readonly signal: AbortSignal }) {
    const queue: ConfigMap[] = [];
    let wake = () => {};
    const namespace = options.namespace ?? "";
    const push = (object: ConfigMap) => {
      queue.push(object);
      wake();
    };
    served.watches.set(namespace, push);
    options.signal.addEventListener("abort", () => wake());
    try {
      while (!options.signal.aborted) {
        for (const object of queue.splice(0)) yield { type: "MODIFIED", object };
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      if (served.watches.get(namespace) === push) served.watches.delete(namespace);
    }
  },
} as unknown as Pick<KubeClient, "pages" | "watch">;

beforeEach(() => {
  served = { objects: new Map(), lists: [], watches: new Map(), refuses: undefined };
  clock = createFakeClock();
  stop = new AbortController();
  watch = new TargetWatch<ConfigMap, KubeObject>({
    client,
    type: configMapType,
    clock,
    random: () => 0,
    wholeCluster: true,
    targetOf: ({ metadata, data }) => `${metadata.namespace}/${data?.["of"]}`,
    transform: ({ metadata }) => ({ ...CONFIG_MAPS, metadata }),
    indexers: {},
  });
  running = watch.run(stop.signal);
});

afterEach(async () => {
  stop.abort();
  await running;
});

function names(target: string): readonly string[] | string {
  const view = watch.view(target);
  return view.kind === "Known" ? view.store.list().map(({ metadata }) => metadata.name) : view.reason;
}

describe("a watch of targets", () => {
  it("asks for nothing while nothing is followed", async () => {
    await clock.advance(3_600_000);
    expect(served.lists).toEqual([]);
    expect(names("a/web")).toBe("NotListed");
  });

  it("keeps what belongs to the followed ones, stripped, and follows it", async () => {
    put(configMap("a", "one", "web"));
    put(configMap("a", "two", "other"));
    put(configMap("b", "three", "web"));
    watch.follow(new Set(["a/web"]));
    await until(() => names("a/web") !== "NotListed");
    expect(served.lists).toEqual(["a"]);
    expect(names("a/web")).toEqual(["one"]);
    await until(() => served.watches.has("a"));
    put(configMap("a", "four", "web"));
    put(configMap("a", "five", "other"));
    await until(() => names("a/web").length === 2);
    expect(names("a/web")).toEqual(["one", "four"]);
    expect(names("b/web")).toBe("NotListed");
    const view = watch.view("a/web");
    expect(view.kind === "Known" && view.store.get("a/one")).not.toHaveProperty("data");
  });

  it("knows the old ones while a new one is listed, and lets go of what is not followed any more", async () => {
    put(configMap("a", "one", "web"));
    put(configMap("a", "two", "other"));
    watch.follow(new Set(["a/web"]));
    await until(() => served.watches.has("a"));
    watch.follow(new Set(["a/web", "a/other"]));
    expect(names("a/web")).toEqual(["one"]);
    expect(names("a/other")).toBe("NotListed");
    await until(() => names("a/other") !== "NotListed");
    expect(names("a/web")).toEqual(["one", "two"]);
    watch.follow(new Set(["a/other"]));
    await until(() => names("a/other").length === 1);
    expect(names("a/other")).toEqual(["two"]);
    watch.follow(new Set());
    expect(names("a/other")).toBe("NotListed");
    await until(() => served.watches.size === 0);
  });

  it("is not listed anew when the same are followed", async () => {
    watch.follow(new Set(["a/web"]));
    watch.follow(new Set(["a/web"]));
    await until(() => served.watches.has("a"));
    watch.follow(new Set(["a/web"]));
    await clock.advance(1_000);
    expect(served.lists).toEqual(["a"]);
  });

  it("of very many namespaces is one of the whole cluster", async () => {
    const many = new Set(Array.from({ length: 101 }, (_, n) => `n${n}/web`));
    put(configMap("n7", "one", "web"));
    watch.follow(many);
    await until(() => names("n7/web") !== "NotListed");
    expect(served.lists).toEqual([""]);
    expect(names("n7/web")).toEqual(["one"]);
  });

  it("says what keeps it from knowing", async () => {
    served.refuses = new Error("pods is forbidden");
    watch.follow(new Set(["a/web"]));
    await until(() => names("a/web") === "Failing");
    expect(watch.view("a/web")).toMatchObject({ message: "pods is forbidden" });
  });
});
