import type { PolicySignal } from "../../crds/rollback-policy.ts";
import type { VerificationCheck } from "../../crds/verification.ts";
import type { Sample } from "../../decision/sample.ts";
import { formatValue } from "../../decision/sentence.ts";
import type { Unit } from "../../decision/row.ts";
import { unitOfSignal } from "../../signals/unit.ts";
import { fail, noVerdict, pass, type Check } from "../check.ts";

type SignalSpec = NonNullable<VerificationCheck["signal"]>;

/** Where signals are measured. */
export interface SignalSource {
  /** Samples a policy's signal at an instant (milliseconds since the epoch), limited to the namespace. */
  sample(signal: PolicySignal, namespace: string, atMs: number, abort: AbortSignal): Promise<Sample>;
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
    async sample(spec, { signals, namespace, now, signal: abort }) {
      const signal = signals.find(({ name }) => name === spec.name);
      if (signal === undefined) return noVerdict(`the policy has no signal ${spec.name}`);
      const sample = await source.sample(signal, namespace, now, abort);
      if (sample.kind !== "Value") return noVerdict(`${sample.kind}: ${sample.detail}`);
      return compare(spec, sample.value, unitOfSignal(signal));
    },
  };
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
