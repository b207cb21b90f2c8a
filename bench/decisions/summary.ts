import { quantile } from "../figures.ts";
import { INTERVAL_MS, isRight, liveRevision, type Outcome } from "./evaluate.ts";
import type { Answer } from "./label.ts";

/** Classes in which a rollback is worst, because nothing spoke for one. */
const NEVER: Readonly<Record<string, readonly string[]>> = {
  missing_data: ["scrape-gap", "exporter-gone"],
  dependency_outage: [
    "outage-without-pod-names",
    "dependency-outage",
    "dependency-outage-after-release",
    "dependency-outage-30s-after-release",
    "release-during-outage",
  ],
  surge: ["traffic-surge", "surge-after-good-release"],
  thin_traffic: ["thin-traffic"],
};

const ANSWERS: readonly Answer[] = ["Rollback", "Propose", "Held", "Notify", "Quiet"];

/** One line a figure, a table of the classes, and what went wrong by name. */
export function summarise(outcomes: readonly Outcome[]): readonly string[] {
  const needed = outcomes.filter(({ incident }) => incident.label.rollback === "Needed");
  const hits = needed.filter(isHit);
  const falses = outcomes.filter(({ isFalseRollback }) => isFalseRollback);
  const plain = plainCounts(outcomes);
  const delays = hits.map(delayOf);
  const fromFault = hits.flatMap(({ decision, incident }) =>
    decision === undefined || incident.breachAt === undefined
      ? []
      : [(decision.at - incident.breachAt) / 1000],
  );
  const acceptable = outcomes.filter(({ incident, answer }) => incident.label.acceptable.includes(answer));
  return [
    `decisions_incidents ${outcomes.length} incidents in ${new Set(outcomes.map(({ incident }) => incident.className)).size} classes`,
    share("decisions_rollback_precision", hits.length, hits.length + falses.length, 0.99),
    share("decisions_rollback_recall", hits.length, needed.length, 0.98),
    ...Object.entries(NEVER).map(([what, classes]) => {
      const count = falses.filter(({ incident }) => classes.includes(incident.className)).length;
      return `decisions_false_rollbacks_${what} ${count} incidents (goal <= 0)`;
    }),
    `decisions_onset_to_decision_beyond_for_p50 ${quantile(delays, 0.5).toFixed(0)} s (goal <= ${(2 * INTERVAL_MS) / 1000})`,
    `decisions_onset_to_decision_beyond_for_p95 ${quantile(delays, 0.95).toFixed(0)} s`,
    `decisions_expected_breach_to_decision_p50 ${quantile(fromFault, 0.5).toFixed(0)} s`,
    `decisions_expected_breach_to_decision_p95 ${quantile(fromFault, 0.95).toFixed(0)} s`,
    share("decisions_acceptable_answers", acceptable.length, outcomes.length),
    share("plain_rule_rollback_precision", plain.hits, plain.hits + plain.falses),
    share("plain_rule_rollback_recall", plain.hits, needed.length),
    ...table(outcomes),
    ...misses(outcomes),
  ];
}

function isHit({ answer, isFalseRollback }: Outcome): boolean {
  return answer === "Rollback" && !isFalseRollback;
}

/** Seconds from the first breach that was seen to the decision, less the row's `for`. */
function delayOf({ decision }: Outcome): number {
  return decision === undefined ? Number.NaN : (decision.at - decision.onset - decision.row.forMs) / 1000;
}

function plainCounts(outcomes: readonly Outcome[]): { readonly hits: number; readonly falses: number } {
  const fired = outcomes.filter(({ plainAt }) => plainAt !== undefined);
  const right = fired.filter(isPlainRight);
  return {
    hits: right.filter(({ incident }) => incident.label.rollback === "Needed").length,
    falses: fired.length - right.length,
  };
}

function isPlainRight({ incident, plainAt }: Outcome): boolean {
  return plainAt !== undefined && isRight(incident, plainAt, liveRevision(incident, plainAt));
}

/** `NAME VALUE (a of b, 95 % within low..high, goal >= N)`. */
function share(name: string, a: number, b: number, goal?: number): string {
  const [low, high] = wilson(a, b);
  const text = `${name} ${(b === 0 ? 0 : a / b).toFixed(4)} (${a} of ${b}, 95 % within ${low.toFixed(4)}..${high.toFixed(4)}`;
  return goal === undefined ? `${text})` : `${text}, goal >= ${goal})`;
}

/** Bounds of a share by Wilson's score interval at 95 %. */
export function wilson(a: number, b: number): readonly [low: number, high: number] {
  if (b === 0) return [0, 1];
  const z = 1.959964;
  const p = a / b;
  const centre = p + z ** 2 / (2 * b);
  const half = z * Math.sqrt((p * (1 - p)) / b + z ** 2 / (4 * b ** 2));
  return [(centre - half) / (1 + z ** 2 / b), (centre + half) / (1 + z ** 2 / b)];
}

function table(outcomes: readonly Outcome[]): readonly string[] {
  const classes = [...Map.groupBy(outcomes, ({ incident }) => incident.className)];
  const header = row(["class", "incidents", "acceptable", "false", ...ANSWERS, "  plain rule"]);
  return [
    header,
    ...classes.map(([name, list]) =>
      row([
        name,
        String(list.length),
        String(list.filter(({ incident, answer }) => incident.label.acceptable.includes(answer)).length),
        String(list.filter(({ isFalseRollback }) => isFalseRollback).length),
        ...ANSWERS.map((each) => String(list.filter(({ answer }) => answer === each).length)),
        `  ${plainText(list)}`,
      ]),
    ),
  ];
}

function plainText(list: readonly Outcome[]): string {
  const fired = list.filter(({ plainAt }) => plainAt !== undefined).length;
  const right = list.filter(isPlainRight).length;
  return `${right} right, ${fired - right} false`;
}

function row([name = "", ...cells]: readonly string[]): string {
  return `${name.padEnd(40)}${cells.map((cell) => cell.padStart(11)).join("")}`.trimEnd();
}

function misses(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes
    .filter((outcome) => {
      const { incident, answer, isFalseRollback } = outcome;
      return isFalseRollback || !incident.label.acceptable.includes(answer);
    })
    .map(({ incident, answer, decision, isFalseRollback }) => {
      const kind = isFalseRollback
        ? "false rollback"
        : incident.label.rollback === "Needed"
          ? "missed"
          : "other answer";
      return `${kind}: ${incident.id} (${incident.profile}): ${answer}: ${decision?.reason ?? "no row fired"}`;
    });
}
