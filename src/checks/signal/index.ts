import type { PolicySignal } from "../../crds/rollback-policy.ts";
import type { VerificationCheck } from "../../crds/verification.ts";
import type { Reading, Sample } from "../../decision/sample.ts";
import { formatValue } from "../../decision/sentence.ts";
import type { Unit } from "../../decision/row.ts";
import { unitOfSignal } from "../../signals/unit.ts";
import { fail, noVerdict, pass, type Check, type CheckContext, type CheckSample } from "../check.ts";

type SignalSpec = NonNullable<VerificationCheck["signal"]>;

/** Where signals are measured. */
export interface SignalSource {
  /** Reads a policy's signal at an instant (milliseconds since the epoch), limited to the namespace. */
  sample(
    signal: PolicySignal,
    place: Pick<CheckContext, "namespace" | "restored">,
    atMs: number,
    abort: AbortSignal,
  ): Promise<Reading>;
  /** How far back a sample of the signal looks, milliseconds. */
  lookbackMs(signal: PolicySignal): number;
}

/** A signal of the policy is within its bound. What is no value is no verdict. */
export function signalCheck(source: SignalSource): Check<SignalSpec> {
  return {
    kind: "signal",
    // Signals are measured by the operator itself.
    requiredRights: () => [],
    windowMs({ name }, signals) {
      const signal = signals.find((each) => each.name === name);
      return signal === undefined ? 0 : source.lookbackMs(signal);
    },
    async sample(spec, { signals, namespace, restored, now, signal: abort }) {
      const signal = signals.find(({ name }) => name === spec.name);
      if (signal === undefined) return noVerdict(`the policy has no signal ${spec.name}`);
      const reading = await source.sample(signal, { namespace, restored }, now, abort);
      return reading.kind === "Split"
        ? judgeParts(spec, reading.parts, unitOfSignal(signal))
        : judge(spec, reading, unitOfSignal(signal));
    },
  };
}

/**
 * The worst part decides: one that fails is a failure; without one, any that has no value leaves the whole open, except
 * for parts with too little traffic beside others that have enough.
 */
function judgeParts(spec: SignalSpec, parts: ReadonlyMap<string, Sample>, unit: Unit): CheckSample {
  const judged = [...parts].map(([part, sample]) => ({ part, sample, outcome: judge(spec, sample, unit) }));
  const worst =
    judged.filter(({ outcome }) => outcome.outcome === "Fail").toSorted(worseFirst(spec))[0] ??
    judged.find(
      ({ outcome, sample }) => outcome.outcome === "NoVerdict" && sample.kind !== "InsufficientTraffic",
    ) ??
    judged.filter(({ outcome }) => outcome.outcome === "Pass").toSorted(worseFirst(spec))[0] ??
    judged[0];
  if (worst === undefined) return noVerdict("NoData: no label value has a series");
  return { ...worst.outcome, value: `${worst.part}: ${worst.outcome.value}` };
}

function worseFirst({ below }: SignalSpec) {
  const valueOf = ({ sample }: { readonly sample: Sample }) => (sample.kind === "Value" ? sample.value : 0);
  const sign = below === undefined ? 1 : -1;
  return (a: { readonly sample: Sample }, b: { readonly sample: Sample }) => sign * (valueOf(a) - valueOf(b));
}

function judge(spec: SignalSpec, sample: Sample, unit: Unit): CheckSample {
  if (sample.kind !== "Value") return noVerdict(`${sample.kind}: ${sample.detail}`);
  return compare(spec, sample.value, unit);
}

function compare({ above, below }: SignalSpec, value: number, unit: Unit) {
  const seen = formatValue(value, unit);
  if (below !== undefined) {
    const bound = formatValue(Number(below), unit);
    return value <= Number(below) ? pass(`${seen} <= ${bound}`) : fail(`${seen} > ${bound}`);
  }
  if (above !== undefined) {
    const bound = formatValue(Number(above), unit);
    return value >= Number(above) ? pass(`${seen} >= ${bound}`) : fail(`${seen} < ${bound}`);
  }
  return noVerdict(`${seen}, but neither the check nor a row gives a bound`);
}
