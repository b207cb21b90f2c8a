import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Phase } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { POLICY_LABEL, requestPolicy, surplusRequests } from "./history.ts";

const NOW = Date.UTC(2026, 10, 22, 14, 0, 0);
const at = (minutesAgo: number) => new Date(NOW - minutesAgo * 60_000).toISOString();

interface Shape {
  readonly phase?: Phase;
  /** When it ended. */
  readonly minutesAgo?: number;
  readonly version?: number;
  readonly metadata?: Partial<RollbackRequest["metadata"]>;
}

function request(
  name: string,
  { phase = "Succeeded", minutesAgo = 60, version = 1, metadata = {} }: Shape = {},
) {
  const ready = {
    type: "Ready",
    status: "True",
    reason: "",
    message: "",
    lastTransitionTime: at(minutesAgo),
  };
  return {
    metadata: {
      namespace: "shop",
      name,
      uid: name,
      resourceVersion: String(version),
      creationTimestamp: at(10_000),
      ...metadata,
    },
    spec: { policyRef: { name: "web" } },
    status: { phase, conditions: [ready] },
  } as unknown as RollbackRequest;
}

function automatic(name: string, revision: number, minutesAgo: number) {
  return {
    request: name,
    replicaSetUid: "rs",
    podTemplateHash: "h",
    revision,
    attempt: 1,
    at: at(minutesAgo),
    trigger: { policy: "web" },
  } as const;
}

interface Setting {
  readonly limits?: { readonly successful: number; readonly failed: number };
  readonly automatic?: readonly ReturnType<typeof automatic>[];
  readonly live?: { readonly uid: string; readonly revision: number } | undefined;
}

function surplus(requests: readonly RollbackRequest[], setting: Setting = {}): readonly string[] {
  return surplusRequests({
    limits: setting.limits ?? { successful: 1, failed: 1 },
    requests,
    ledger: { automatic: [...(setting.automatic ?? [])] },
    live: "live" in setting ? setting.live : { uid: "rs", revision: 9 },
    now: NOW,
  }).map(({ metadata }) => metadata.name);
}

describe("surplusRequests", () => {
  it("takes the oldest by their end, successes and failures apart", () => {
    const requests = [
      request("s-new", { minutesAgo: 1 }),
      request("s-old", { minutesAgo: 3 }),
      request("s-older", { minutesAgo: 4 }),
      request("f-old", { phase: "Aborted", minutesAgo: 3 }),
      request("f-new", { phase: "Failed", minutesAgo: 2 }),
      request("f-older", { phase: "Superseded", minutesAgo: 9 }),
    ];
    expect(surplus(requests)).toEqual(["s-older", "s-old", "f-older", "f-old"]);
    expect(surplus(requests, { limits: { successful: 2, failed: 3 } })).toEqual(["s-older"]);
    expect(surplus(requests, { limits: { successful: 0, failed: 0 } })).toEqual(surplus(requests));
  });

  it("takes of two that ended in one second the one that was written first", () => {
    expect(surplus([request("z", { version: 9 }), request("a", { version: 10 })])).toEqual(["z"]);
  });

  it.each<[string, Shape]>([
    ["running", { phase: "Verifying" }],
    ["without a phase", { phase: "" as Phase }],
    ["ended, but not let go yet", { metadata: { finalizers: ["rollback.llm-research-lab.io/running"] } }],
    ["being deleted", { metadata: { deletionTimestamp: at(1) } }],
    ["tracked by Argo CD", { metadata: { annotations: { "argocd.argoproj.io/tracking-id": "a:b/C:d/e" } } }],
    ["labelled by Argo CD", { metadata: { labels: { "app.kubernetes.io/instance": "app" } } }],
    ["applied by Flux", { metadata: { labels: { "kustomize.toolkit.fluxcd.io/name": "apps" } } }],
    ["released by Flux", { metadata: { labels: { "helm.toolkit.fluxcd.io/name": "apps" } } }],
  ])("leaves alone, and does not count, a request that is %s", (_, shape) => {
    const requests = [request("special", { minutesAgo: 99, ...shape }), request("last", { minutesAgo: 1 })];
    expect(surplus(requests)).toEqual([]);
  });

  it("keeps what the next decision about the live release rests on", () => {
    const requests = [
      request("of-live", { phase: "Aborted", minutesAgo: 9 }),
      request("of-older", { phase: "Aborted", minutesAgo: 8 }),
      request("just-decided", { phase: "Failed", minutesAgo: 7 }),
      request("newest", { phase: "Failed", minutesAgo: 1 }),
    ];
    const entries = [
      automatic("of-live", 9, 10),
      automatic("of-older", 8, 10),
      automatic("just-decided", 8, 0),
    ];
    expect(surplus(requests, { automatic: entries })).toEqual(["of-older"]);
    // Which release is live is not known: nothing that was automatic goes.
    expect(surplus(requests, { automatic: entries, live: undefined })).toEqual([]);
  });

  it("always leaves the newest failure, and never takes more than is over the limit", () => {
    const phases = fc.constantFrom<Phase>("Succeeded", "Failed", "Aborted", "Superseded", "Applying");
    const shapes = fc.array(fc.record({ phase: phases, minutesAgo: fc.integer({ min: 0, max: 1_000 }) }));
    fc.assert(
      fc.property(shapes, fc.integer({ min: 1, max: 5 }), (list, limit) => {
        const requests = list.map((shape, index) => request(`r${index}`, shape));
        const gone = new Set(surplus(requests, { limits: { successful: limit, failed: limit } }));
        const isFailure = ({ status }: RollbackRequest) =>
          !["Succeeded", "Applying"].includes(status?.phase ?? "");
        const count = (isOne: (each: RollbackRequest) => boolean) => {
          const all = requests.filter(isOne);
          return [all.length, all.filter(({ metadata }) => !gone.has(metadata.name)).length] as const;
        };
        for (const isOne of [isFailure, ({ status }: RollbackRequest) => status?.phase === "Succeeded"]) {
          const [all, left] = count(isOne);
          expect(left).toBe(Math.min(all, limit));
        }
        const [applying, stillApplying] = count(({ status }) => status?.phase === "Applying");
        expect(stillApplying).toBe(applying);
      }),
    );
  });
});

describe("requestPolicy", () => {
  it("is what the spec names, else the label", () => {
    const labels = { [POLICY_LABEL]: "other" };
    expect(requestPolicy(request("a", { metadata: { labels } }))).toEqual(["shop/web"]);
    const free = { ...request("b", { metadata: { labels } }), spec: {} } as unknown as RollbackRequest;
    expect(requestPolicy(free)).toEqual(["shop/other"]);
    expect(requestPolicy({ ...free, metadata: { ...free.metadata, labels: {} } })).toEqual([]);
  });
});
