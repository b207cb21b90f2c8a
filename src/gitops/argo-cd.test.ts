import { describe, expect, it } from "@jest/globals";
import {
  agreementOf,
  applicationSetVerdict,
  hasLeftAlone,
  isAutomated,
  isSyncing,
  listsObject,
  parentVerdict,
} from "./argo-cd.ts";
import type { Application, ApplicationSet } from "./kinds.ts";
import { application } from "./testing/objects.ts";

const HEALS = { syncPolicy: { automated: { selfHeal: true } } };
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

const child = (manifest: object = {}, managedFields: Application["metadata"]["managedFields"] = []) => {
  const { metadata, ...rest } = application({});
  const annotations = { ...metadata.annotations, [LAST_APPLIED]: JSON.stringify(manifest) };
  return { ...rest, metadata: { ...metadata, annotations, managedFields } };
};

const SETS_IT = { spec: { syncPolicy: { automated: { enabled: true } } } };

describe("an Application", () => {
  it.each([
    [{}, false],
    [{ syncPolicy: {} }, false],
    [{ syncPolicy: { automated: null } }, false],
    [{ syncPolicy: { automated: {} } }, true],
    [{ syncPolicy: { automated: { enabled: true } } }, true],
    [{ syncPolicy: { automated: { enabled: false, selfHeal: true } } }, false],
  ])("%j is synced by itself: %s", (spec, automated) => {
    expect(isAutomated(application(spec))).toBe(automated);
  });

  it("owns what its own list names, by group, kind, namespace and name", () => {
    const web = { group: "apps", kind: "Deployment", namespace: "shop", name: "web" };
    const app = application({}, { status: { resources: [web] } });
    const object = (apiVersion: string, kind: string, namespace: string, name: string) => ({
      apiVersion,
      kind,
      metadata: { namespace, name, uid: "u", resourceVersion: "1", creationTimestamp: "" },
    });

    expect(listsObject(app, object("apps/v1", "Deployment", "shop", "web"))).toBe(true);
    expect(listsObject(app, object("apps/v1", "Deployment", "shop", "api"))).toBe(false);
    expect(listsObject(app, object("apps/v1", "Deployment", "other", "web"))).toBe(false);
    expect(listsObject(app, object("apps/v1", "StatefulSet", "shop", "web"))).toBe(false);
    expect(listsObject(app, object("other/v1", "Deployment", "shop", "web"))).toBe(false);
    // Whoever writes marks can have it listed so.
    const marked = application({}, { status: { resources: [{ ...web, requiresPruning: true }] } });
    expect(listsObject(marked, object("apps/v1", "Deployment", "shop", "web"))).toBe(false);
  });

  it("syncs while it has an operation, or one that is not over", () => {
    expect(isSyncing(application({}))).toBe(false);
    expect(isSyncing(application({}, { operation: { sync: {} } }))).toBe(true);
    const phase = (name: string) => application({}, { status: { operationState: { phase: name } } });
    expect(
      ["Running", "Terminating", "Succeeded", "Failed", "Error"].filter((name) => isSyncing(phase(name))),
    ).toEqual(["Running", "Terminating"]);
  });
});

describe("an app of apps", () => {
  it("leaves a field alone that its manifest does not set, which is to be seen where it heals", () => {
    expect(parentVerdict(application({}), child())).toEqual({ kind: "Leaves" });
    expect(parentVerdict(application(HEALS), child())).toEqual({ kind: "Confirm" });
  });

  it("takes it away where its manifest sets it, by what was applied or by the fields it manages", () => {
    const managed = [
      {
        manager: "argocd-controller",
        fieldsV1: { "f:spec": { "f:syncPolicy": { "f:automated": { "f:enabled": {} } } } },
      },
    ];

    expect(parentVerdict(application(HEALS), child(SETS_IT)).kind).toBe("TakesAway");
    expect(parentVerdict(application(HEALS), child({}, managed)).kind).toBe("TakesAway");
    expect(parentVerdict(application({ syncPolicy: { automated: {} } }), child(SETS_IT)).kind).toBe(
      "AtNextSync",
    );
  });

  it.each([["/spec/syncPolicy/automated/enabled"], ["/spec/syncPolicy/automated"], ["/spec/syncPolicy"]])(
    "leaves what it ignores by %s, if syncs respect that too",
    (pointer) => {
      const rule = { group: "argoproj.io", kind: "Application", jsonPointers: [pointer] };
      const respecting = { automated: { selfHeal: true }, syncOptions: ["RespectIgnoreDifferences=true"] };
      const ignoring = (syncPolicy: object, name?: string) =>
        application({
          syncPolicy,
          ignoreDifferences: [{ ...rule, ...(name === undefined ? {} : { name }) }],
        });

      expect(parentVerdict(ignoring(respecting), child(SETS_IT))).toEqual({ kind: "Leaves" });
      expect(parentVerdict(ignoring(respecting, "other"), child(SETS_IT)).kind).toBe("TakesAway");
      expect(parentVerdict(ignoring({ automated: { selfHeal: true } }, "web"), child(SETS_IT)).kind).toBe(
        "TakesAway",
      );
    },
  );

  it("has left it alone once it compared after the hold and found it Synced", () => {
    const since = Date.parse("2026-01-01T10:00:00Z");
    const parent = (reconciledAt: string, status: string) =>
      application(
        {},
        {
          status: {
            reconciledAt,
            resources: [{ kind: "Application", namespace: "argocd", name: "web", status }],
          },
        },
      );

    expect(hasLeftAlone(parent("2026-01-01T10:00:01Z", "Synced"), child(), since)).toBe(true);
    expect(hasLeftAlone(parent("2026-01-01T10:00:01Z", "OutOfSync"), child(), since)).toBe(false);
    expect(hasLeftAlone(parent("2026-01-01T09:59:59Z", "Synced"), child(), since)).toBe(false);
    expect(hasLeftAlone(application({}), child(), since)).toBe(false);
  });
});

describe("an ApplicationSet", () => {
  const set = (spec: ApplicationSet["spec"]) =>
    applicationSetVerdict({ ...application({}), spec }, child()).kind;

  it("writes its Applications whole unless it is told to leave the field, or to only make them", () => {
    expect(set({})).toBe("TakesAway");
    expect(set({ syncPolicy: { applicationsSync: "create-update" } })).toBe("TakesAway");
    expect(set({ syncPolicy: { applicationsSync: "create-only" } })).toBe("Leaves");
    const keeps = {
      preservedFields: {
        annotations: ["rollback.llm-research-lab.io/consent", "rollback.llm-research-lab.io/held"],
      },
    };
    const pointer = { jsonPointers: ["/spec/syncPolicy"] };
    expect(set({ ...keeps, ignoreApplicationDifferences: [pointer] })).toBe("Leaves");
    expect(
      set({ ...keeps, ignoreApplicationDifferences: [{ jqPathExpressions: [".spec.syncPolicy"] }] }),
    ).toBe("Leaves");
    expect(set({ ...keeps, ignoreApplicationDifferences: [{ ...pointer, name: "api" }] })).toBe("TakesAway");
    // It would strip the record of who holds it.
    expect(set({ ignoreApplicationDifferences: [pointer] })).toBe("TakesAway");
  });
});

describe("what Git wants", () => {
  const CHANGED_AT = Date.parse("2026-01-01T10:00:00Z");
  const hold = { objects: ["Deployment/web", "ConfigMap/settings"] };
  const seen = (reconciledAt: string, web: string, settings?: string) =>
    agreementOf(
      application(
        {},
        {
          status: {
            reconciledAt,
            resources: [
              { group: "apps", kind: "Deployment", namespace: "shop", name: "web", status: web },
              ...(settings === undefined
                ? []
                : [{ kind: "ConfigMap", namespace: "shop", name: "settings", status: settings }]),
            ],
          },
        },
      ),
      hold,
      "shop",
      CHANGED_AT,
    );

  it("is what is live when every target is Synced in a comparison that is clearly later", () => {
    expect(seen("2026-01-01T10:00:06Z", "Synced", "Synced")).toBe("Agrees");
    expect(seen("2026-01-01T10:00:06Z", "Synced", "OutOfSync")).toBe("Differs");
  });

  it("is not known from an older comparison, or one that does not speak of all of them", () => {
    expect(seen("2026-01-01T10:00:04Z", "Synced", "Synced")).toBe("Unknown");
    expect(seen("2026-01-01T10:00:06Z", "Synced")).toBe("Unknown");
    expect(seen("2026-01-01T10:00:06Z", "Synced", "Unknown")).toBe("Unknown");
    expect(seen("", "Synced", "Synced")).toBe("Unknown");
  });
});
