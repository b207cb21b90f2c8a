import { clockTime, formatSeconds } from "../../decision/sentence.ts";
import type { ForPeople } from "../../decision/guards/chain.ts";
import type { Colours } from "../output/colours.ts";
import { labelled, table } from "../output/table.ts";
import type { Explanation } from "./explanation.ts";
import type { GuardFinding } from "./guards.ts";
import type { RowFinding, SignalFinding } from "./rows.ts";

const LABEL_WIDTH = 12;

/** The verdict first, then what it rests on. Clock times are UTC, as everywhere in what the operator writes. Pure. */
export function explanationText(explanation: Explanation, colours: Colours): readonly string[] {
  const now = Date.parse(explanation.at);
  const blocks = [
    [headOf(explanation, colours), ...labelled(factsOf(explanation, now), LABEL_WIDTH)],
    table(
      ["signal", "state", "for", "detail"],
      explanation.signals.map((signal) => signalCells(signal, now, colours)),
    ),
    table(
      ["row", "when", "does", "phase"],
      explanation.rows.map((row) => rowCells(row, now, colours)),
    ),
    table(
      ["guard", "state", "binds", "why"],
      explanation.guards.map((guard) => guardCells(guard, now, colours)),
    ),
    table(
      ["signal", "gives", "query"],
      explanation.queries.map(({ signal, gives, query }) => [signal, gives, query]),
    ),
    explanation.notes.map((note) => colours.dim(`note: ${note}`)),
  ];
  // A table without rows is its header alone.
  const shown = blocks.filter((block, index) =>
    index >= 1 && index <= 4 ? block.length > 1 : block.length > 0,
  );
  return shown.flatMap((block, index) => (index === 0 ? block : ["", ...block]));
}

function headOf({ policy, verdict, at }: Explanation, { good, bad, doubtful }: Colours): string {
  const paint = {
    WouldRollBack: bad,
    WouldAsk: bad,
    WouldPrepare: doubtful,
    WouldTell: doubtful,
    UnderWay: doubtful,
    Held: doubtful,
    Unknown: doubtful,
    NotEvaluating: doubtful,
    NoRowFires: good,
  }[verdict.kind];
  return `${policy}   ${paint(verdict.message)}   (${at.slice(11, 19)} UTC)`;
}

type Fact = readonly [label: string, text: string];

function factsOf(explanation: Explanation, now: number): readonly Fact[] {
  const { target, rollbackReady, prepared, requests, hotfix, operator } = explanation;
  return [
    ["target", `${target}   ${releaseText(explanation, now)}`],
    ["back to", rollbackReady.status === "True" ? rollbackReady.message : notReadyText(rollbackReady)],
    ...(prepared === undefined ? [] : [["prepared", `${prepared.row}: ${prepared.message}`] as const]),
    ["decided", decisionText(explanation, now)],
    ...requestFacts(requests),
    ["freeze", freezeText(explanation, now)],
    ["hotfix", hotfixText(hotfix, now)],
    ["operator", operator],
  ];
}

function notReadyText({ status, message }: Explanation["rollbackReady"]): string {
  return status === "False" ? `nothing, a rollback would not work now: ${message}` : `not known: ${message}`;
}

function releaseText({ release }: Explanation, now: number): string {
  if (release.kind === "None") return `no live release: ${release.message}`;
  const { revision, startedAt, knownGood, productOf, suspects } = release;
  const good = {
    true: "known good",
    false: "not known good yet (bakes)",
    undefined: "known good or not: not visible to you",
  };
  return [
    `revision ${revision} is live`,
    startedAt === undefined ? "its start is not known" : `started ${ago(startedAt, now)}`,
    good[`${knownGood}`],
    ...(productOf === undefined ? [] : [`made by rollback ${productOf}`]),
    ...(suspects.length === 0 ? [] : [`since the last known good one also: revision ${suspects.join(", ")}`]),
  ].join(", ");
}

function decisionText({ lastDecision }: Explanation, now: number): string {
  if (lastDecision === undefined) return "nothing yet";
  const { verdict, row, at, reason, requestRef } = lastDecision;
  const request = requestRef === undefined ? "" : `; request ${requestRef}`;
  return `${verdict} by row ${row}, ${ago(at, now)}: ${reason}${request}`;
}

function requestFacts(requests: Explanation["requests"]): readonly Fact[] {
  if (requests === undefined) return [["requests", "not visible to you: no right to list rollbackrequests"]];
  if (requests.length === 0) return [["requests", "none is open"]];
  return requests.flatMap(({ name, phase, message, commands }) => [
    ["request", `${name}   ${phase}   ${message}`] as const,
    ...commands.map((command) => ["", command] as const),
  ]);
}

function freezeText({ freeze: { windows, open } }: Explanation, now: number): string {
  if (windows === 0) return "no windows";
  if (open.length === 0) return `none of ${windows === 1 ? "one window" : `${windows} windows`} is open`;
  return open
    .map(({ name, until, allow }) => {
      const who = allow.length === 0 ? "no row" : `only rows of ${allow.join(" and ")}`;
      return `window ${name} is open until ${clockTime(Date.parse(until), now)}: ${who} may act`;
    })
    .join("; ");
}

function hotfixText(hotfix: Explanation["hotfix"], now: number): string {
  switch (hotfix.kind) {
    case "None":
      return "none is announced";
    case "Announced":
      return `announced for ${moment(hotfix.eta, now)}`;
    case "NotVisible":
      return `not visible to you: ${hotfix.message}`;
  }
}

function signalCells(
  { name, state, since, detail = "", hasVerdict }: SignalFinding,
  now: number,
  colours: Colours,
) {
  const { good, bad, doubtful } = colours;
  const paint = state === "Ok" ? good : state === "Breach" ? bad : doubtful;
  const words = hasVerdict
    ? detail === ""
      ? ""
      : `${detail} when that began`
    : [detail, "never acts on missing data"].filter((part) => part !== "").join("; ");
  return [
    name,
    paint(state === "NotMeasured" ? "not measured" : state),
    since === undefined ? "" : span(since, now),
    words,
  ];
}

function rowCells({ name, when, action, severity, plan, ...row }: RowFinding, now: number, colours: Colours) {
  return [
    name,
    when,
    `${action} ${severity}${plan === "application" ? "" : ` by plan ${plan}`}`,
    phaseText(row, now, colours),
  ];
}

function phaseText(
  { phase, since, firesAt }: Pick<RowFinding, "phase" | "since" | "firesAt">,
  now: number,
  { good, bad, doubtful }: Colours,
): string {
  const breaching = since === undefined ? "" : `breaches for ${span(since, now)}`;
  switch (phase) {
    case "Firing":
      return `${bad("fires")}, ${breaching}`;
    case "Pending":
      return `${doubtful("pending")}, ${breaching}, fires at ${clockTime(Date.parse(firesAt ?? ""), now)}`;
    case "Quiet":
      return good("quiet");
    case "NoVerdict":
      return doubtful("no verdict: its signal has no data");
    case "Untold":
      return doubtful("not told: status names one of the rows that breach");
  }
}

const BINDS: Readonly<Record<ForPeople, string>> = {
  Refused: "people too",
  RefusedUnlessSev1: "people too, unless SEV1",
  RefusedUnlessNamed: "people too, unless --to-revision",
  Warned: "automatic only, warns people",
  Free: "automatic only",
};

function guardCells(finding: GuardFinding, now: number, colours: Colours): readonly string[] {
  const [state, why] = answerText(finding, now, colours);
  return [finding.guard, state, BINDS[finding.people], why];
}

function answerText(
  finding: GuardFinding,
  now: number,
  { good, bad, doubtful, dim }: Colours,
): readonly [string, string] {
  switch (finding.state) {
    case "Ok":
      return [good("ok"), ""];
    case "Refuses": {
      const { retryAt, message } = finding;
      const left = retryAt === undefined ? "" : `${formatSeconds(Date.parse(retryAt) - now)} left: `;
      return [bad("refuses"), `${left}${message}`];
    }
    case "Hidden":
      return [doubtful("not visible to you"), finding.message];
    case "OperatorOnly":
      return [dim("operator only"), finding.message];
    case "AskedWhenARowFires":
      return [dim("asked when a row fires"), ""];
  }
}

function moment(at: string, now: number): string {
  const ms = Date.parse(at);
  const distance = ms >= now ? `in ${formatSeconds(ms - now)}` : `${formatSeconds(now - ms)} ago`;
  return `${clockTime(ms, now)}, ${distance}`;
}

function ago(at: string, now: number): string {
  return `${span(at, now)} ago`;
}

function span(since: string, now: number): string {
  return formatSeconds(now - Date.parse(since));
}
