import type { RollbackPolicyStatus } from "../../crds/policy-status.ts";
import { type Decision } from "../../decision/decide.ts";
import { cutText } from "../../kube/conditions.ts";
import type { PolicyPorts } from "./ports.ts";
import type { DecisionContext } from "./decision-context.ts";

type LastDecision = NonNullable<RollbackPolicyStatus["lastDecision"]>;

/** Events when a row begins and ends to fire. */
export function tellBreaches(ports: PolicyPorts, { runtime, policy }: DecisionContext): void {
  const firing = new Set(runtime.evaluations.filter(({ fires }) => fires).map(({ row }) => row.name));
  for (const name of firing) {
    if (runtime.firing.has(name)) continue;
    const signal = runtime.evaluations.find(({ row }) => row.name === name)?.row.signal ?? "";
    ports.record({
      type: "Warning",
      reason: "BreachDetected",
      action: "Evaluate",
      note: `row ${name} fires on ${signal}`,
      regarding: policy,
    });
  }
  const resolved = [...runtime.firing].filter((name) =>
    runtime.evaluations.some(({ row, verdict }) => row.name === name && verdict === "Ok"),
  );
  for (const name of resolved) {
    ports.record({
      type: "Normal",
      reason: "BreachResolved",
      action: "Evaluate",
      note: `row ${name} does not fire any more`,
      regarding: policy,
    });
  }
  runtime.firing = new Set([...runtime.firing, ...firing].filter((name) => !resolved.includes(name)));
}

interface Told {
  readonly verdict: LastDecision["verdict"];
  readonly reason: string;
  readonly request?: string;
}

const EVENT_REASONS: Readonly<Record<LastDecision["verdict"], string>> = {
  Rollback: "RollbackDecided",
  Propose: "RollbackProposed",
  Prepare: "PlanReady",
  Notify: "BreachDetected",
  Held: "RollbackHeld",
};

/** Tells a decision once: the same row, verdict and reason again is no news. */
export function tell(
  ports: PolicyPorts,
  { runtime, policy }: DecisionContext,
  decision: Decision,
  { verdict, reason, request }: Told,
): void {
  const holdReason = decision.kind === "Hold" ? decision.reason : "";
  const news = [decision.row.name, decision.part, verdict, holdReason, request].join("/");
  if (runtime.told.get(decision.plan) === news) return;
  runtime.told = new Map([...runtime.told, [decision.plan, news]]);
  const now = ports.clock.now();
  ports.record({
    type: "Warning",
    reason: EVENT_REASONS[verdict],
    action: "Decide",
    note: cutText(reason, 1000),
    regarding: policy,
  });
  const evaluation = runtime.evaluations.find(
    ({ row, part }) => row.name === decision.row.name && part === decision.part,
  );
  const firedAt = (evaluation?.window.run?.since ?? now) + decision.row.forMs;
  const isActed = verdict === "Rollback" || verdict === "Propose";
  ports.observer.decided({
    policy: `${policy.metadata.namespace}/${policy.metadata.name}`,
    row: decision.row.name,
    action: decision.row.action,
    verdict,
    reason,
    request,
    detectionSeconds: isActed ? Math.max(0, now - firedAt) / 1_000 : undefined,
  });
  runtime.lastDecision = {
    row: decision.row.name,
    verdict,
    reason: cutText(reason, 1024),
    attribution: decision.attribution.verdict,
    at: new Date(now).toISOString(),
    ...(request === undefined ? {} : { requestRef: request }),
  };
}
