import { isDeepStrictEqual } from "node:util";
import { readAudit } from "../cluster/audit.ts";

/** What a reader of conditions needs of an object. */
export interface ConditionedObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation?: number | undefined;
    readonly deletionTimestamp?: string | undefined;
  };
  readonly status?: {
    readonly observedGeneration?: number | undefined;
    readonly phase?: string | undefined;
    readonly conditions?: readonly ConditionView[] | undefined;
  };
}

export interface ConditionView {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number | undefined;
}

export type KStatus = "Terminating" | "InProgress" | "Failed" | "Current";

/** Conditions that mean trouble while they are True, most important first. */
const NEGATIVE = ["Stalled", "Reconciling"];

/** What `kubectl wait`, Helm, Flux and Argo make of an object. Source: cli-utils `pkg/kstatus/status/generic.go`. */
export function kstatusOf({ metadata, status }: ConditionedObject): KStatus {
  if (metadata.deletionTimestamp !== undefined) return "Terminating";
  const observed = status?.observedGeneration;
  if (observed !== undefined && observed !== metadata.generation) return "InProgress";
  const conditions = status?.conditions ?? [];
  for (const { type, status: value } of conditions) {
    if (type === "Reconciling" && value === "True") return "InProgress";
    if (type === "Stalled" && value === "True") return "Failed";
  }
  const ready = conditions.find(({ type }) => type === "Ready");
  return ready === undefined || ready.status === "True" ? "Current" : "InProgress";
}

interface Rule {
  readonly name: string;
  readonly broken: (facts: Facts) => boolean;
}

interface Facts {
  readonly generation: number;
  readonly observed: number;
  readonly conditions: readonly ConditionView[];
  readonly ready: ConditionView | undefined;
  readonly reconciling: boolean;
  readonly stalled: boolean;
  readonly deleted: boolean;
  /** Nothing is being done: neither Reconciling nor being deleted. */
  readonly atRest: boolean;
}

/** The rules of Flux's checker (`fluxcd/pkg`, `runtime/conditions/check`), and two more for waiters. */
const RULES: readonly Rule[] = [
  { name: "Ready is always present", broken: ({ ready }) => ready === undefined },
  {
    name: "no negative condition while Ready is True",
    broken: ({ ready, reconciling, stalled }) => ready?.status === "True" && (reconciling || stalled),
  },
  {
    name: "Ready is False while Stalled",
    broken: ({ ready, stalled }) => stalled && ready?.status !== "False",
  },
  {
    name: "never both Reconciling and Stalled",
    broken: ({ reconciling, stalled }) => reconciling && stalled,
  },
  {
    name: "observedGeneration is never above the generation",
    broken: ({ conditions, observed, generation }) =>
      observed > generation ||
      conditions.some(({ observedGeneration = 0 }) => observedGeneration > generation),
  },
  {
    name: "Ready is not True while any observedGeneration is behind",
    // kstatus calls what is being deleted Terminating, whatever its conditions say.
    broken: ({ ready, conditions, observed, generation, deleted }) =>
      !deleted &&
      ready?.status === "True" &&
      (observed < generation ||
        conditions.some(({ observedGeneration = 0 }) => observedGeneration < generation)),
  },
  {
    name: "at rest with Ready True every condition is about the observed generation",
    broken: ({ atRest, ready, conditions, observed }) =>
      atRest &&
      ready?.status === "True" &&
      conditions.some(({ observedGeneration }) => observedGeneration !== observed),
  },
  {
    name: "Ready is Unknown only while Reconciling",
    broken: ({ ready, reconciling }) => ready?.status === "Unknown" && !reconciling,
  },
  {
    name: "Ready False is Stalled or Reconciling, or waiters wait for ever",
    broken: ({ ready, reconciling, stalled }) => ready?.status === "False" && !reconciling && !stalled,
  },
  {
    name: "negative conditions are kept only while True",
    broken: ({ conditions }) =>
      conditions.some(({ type, status }) => NEGATIVE.includes(type) && status !== "True"),
  },
  {
    name: "every condition carries an observedGeneration",
    broken: ({ conditions }) => conditions.some(({ observedGeneration }) => observedGeneration === undefined),
  },
  {
    name: "Ready mirrors the most important negative condition",
    broken: ({ conditions, ready }) => {
      const negative = NEGATIVE.map((type) => conditions.find((condition) => condition.type === type)).find(
        (condition) => condition !== undefined,
      );
      return (
        negative !== undefined && (negative.reason !== ready?.reason || negative.message !== ready.message)
      );
    },
  },
  {
    name: "Stalled, Reconciling and Ready come first, in this order",
    broken: ({ conditions }) => {
      const summary = ["Stalled", "Reconciling", "Ready"];
      const places = conditions.map(({ type }) => summary.indexOf(type)).map((at) => (at < 0 ? 3 : at));
      return !isDeepStrictEqual(
        places,
        places.toSorted((a, b) => a - b),
      );
    },
  },
  {
    name: "types are unique, reasons are words in CamelCase, times are whole seconds",
    broken: ({ conditions }) =>
      new Set(conditions.map(({ type }) => type)).size !== conditions.length ||
      conditions.some(
        ({ reason, lastTransitionTime }) =>
          !/^[A-Z][A-Za-z0-9]*$/.test(reason) || !/^\d{4}-\d\d-\d\dT[\d:]{8}Z$/.test(lastTransitionTime),
      ),
  },
];

/** Names of the rules that a written status breaks. An object whose controller has not been there yet breaks none. */
export function brokenRules(object: ConditionedObject): readonly string[] {
  const { metadata, status } = object;
  const conditions = status?.conditions;
  if (conditions === undefined) {
    return status?.observedGeneration === -1 ? [] : ["a new object reads as in progress"];
  }
  const isTrue = (type: string) =>
    conditions.some((condition) => condition.type === type && condition.status === "True");
  const reconciling = isTrue("Reconciling");
  const facts: Facts = {
    generation: metadata.generation ?? 0,
    observed: status?.observedGeneration ?? Number.NaN,
    conditions,
    ready: conditions.find(({ type }) => type === "Ready"),
    reconciling,
    stalled: isTrue("Stalled"),
    deleted: metadata.deletionTimestamp !== undefined,
    atRest: !reconciling && metadata.deletionTimestamp === undefined,
  };
  return RULES.filter(({ broken }) => broken(facts)).map(({ name }) => name);
}

/** How a waiter must read each phase of a RollbackRequest. */
const EXPECTED: Readonly<Record<string, KStatus>> = {
  Pending: "InProgress",
  Planning: "InProgress",
  AwaitingApproval: "InProgress",
  Applying: "InProgress",
  Verifying: "InProgress",
  Succeeded: "Current",
  Failed: "Failed",
  Compensated: "Failed",
  Superseded: "Failed",
  Denied: "Failed",
  Expired: "Failed",
  Aborted: "Failed",
};

/** What is wrong between two versions of one object that follow each other. */
function brokenBetween(before: ConditionedObject, after: ConditionedObject): readonly string[] {
  const [then, now] = [before.status ?? {}, after.status ?? {}];
  const wentBack = (now.observedGeneration ?? -1) < (then.observedGeneration ?? -1);
  const expected = EXPECTED[then.phase ?? ""] ?? "InProgress";
  const leftItsEnd = expected !== "InProgress" && now.phase !== then.phase;
  return [
    ...(wentBack ? ["observedGeneration never goes back"] : []),
    ...(leftItsEnd ? [`a final phase stays (${then.phase} became ${now.phase})`] : []),
    ...(now.conditions ?? [])
      .filter((condition) => movedAlone(condition, then.conditions ?? []))
      .map(({ type }) => `lastTransitionTime of ${type} moves with its status only`),
  ];
}

function movedAlone(now: ConditionView, before: readonly ConditionView[]): boolean {
  const then = before.find(({ type }) => type === now.type);
  return then?.status === now.status && then.lastTransitionTime !== now.lastTransitionTime;
}

/** One broken rule in one version of an object, readable. */
function complaint(object: ConditionedObject, rule: string): string {
  const { kind, metadata, status } = object;
  return `${kind} ${metadata.namespace}/${metadata.name} at ${metadata.resourceVersion}: ${rule}: ${JSON.stringify(status)}`;
}

/** Every broken rule in every version of every object given, with how versions follow each other. */
export function statusComplaints(versions: readonly ConditionedObject[]): readonly string[] {
  return [...Map.groupBy(versions, ({ metadata }) => metadata.uid).values()].flatMap((history) => {
    const ordered = history.toSorted(
      (a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion),
    );
    return ordered.flatMap((object, index) => {
      const before = ordered[index - 1];
      const expected = EXPECTED[object.status?.phase ?? ""];
      const read = kstatusOf(object);
      return [
        ...brokenRules(object),
        ...(before === undefined ? [] : brokenBetween(before, object)),
        ...(expected === undefined || read === expected || read === "Terminating"
          ? []
          : [`phase ${object.status?.phase} reads as ${expected}, not ${read}`]),
      ].map((rule) => complaint(object, rule));
    });
  });
}

/** Every version of our objects that was ever stored, as the audit log holds them. */
export async function storedVersions(auditLogPath: string): Promise<readonly ConditionedObject[]> {
  const audit = await readAudit(auditLogPath);
  const writes = audit.writes({ apiGroup: "rollback.llm-research-lab.io" });
  const objects = writes.flatMap(({ responseObject }) =>
    isConditioned(responseObject) ? [responseObject] : [],
  );
  const byVersion = new Map(
    objects.map((object) => [`${object.metadata.uid}/${object.metadata.resourceVersion}`, object]),
  );
  return [...byVersion.values()];
}

function isConditioned(value: unknown): value is ConditionedObject {
  const { kind, status } = (value ?? {}) as { readonly kind?: unknown; readonly status?: unknown };
  return (kind === "RollbackRequest" || kind === "RollbackPolicy") && typeof status === "object";
}
