import { finish, wait, type Decision } from "./decision.ts";
import { changedSteps } from "./journal.ts";
import type { Situation } from "./situation.ts";
import { backSentence, failedSentence, stayingChanges } from "./wording.ts";

/** After the last step: whether it helped. A request that went on beside a failure ends Failed all the same. */
export function decideVerification(situation: Situation, now: number): Decision {
  const { request } = situation;
  const failed = failedSentence(request);
  if (failed !== "" && changedSteps(request).length === 0) {
    return finish("Failed", "StepFailed", `${failed}${stayingChanges(request)}`);
  }
  const decision = decideChecks(situation, now);
  if (failed === "" || decision.kind !== "Finish") return decision;
  const { reason, message, verified } = decision.ending;
  return {
    kind: "Finish",
    ending: {
      phase: "Failed",
      reason: reason === "RolledBack" ? "StepFailed" : reason,
      message: `${failed}; of the other steps: ${message}`,
      // What passed proves nothing of the whole.
      ...(verified === undefined
        ? {}
        : { verified: verified.status === "True" ? { status: "Unknown", reason: "StepFailed" } : verified }),
    },
  };
}

function decideChecks({ request, progress, verification }: Situation, now: number): Decision {
  // Checks of another version than the restored one would prove nothing, whatever they say.
  if (progress === undefined) return { kind: "Observe" };
  if (progress.kind === "Superseded") return finish("Failed", "Superseded", progress.message);
  if (verification === undefined) return { kind: "Verify" };
  const { checks } = verification;
  const back = backSentence(request);
  const failed = checks.filter(({ outcome }) => outcome === "Failed");
  if (failed.length > 0) {
    const why = failed.map(({ name, value }) => `${name} ${value}`).join(", ");
    return {
      kind: "Finish",
      ending: {
        phase: "Failed",
        reason: "VerificationFailed",
        message: `${back}, but it did not help: ${why}`,
        verified: { status: "False", reason: "Failed" },
      },
    };
  }
  if (checks.some(({ outcome }) => outcome === "Pending")) {
    const names = checks.map(({ name }) => name).join(", ");
    const until = new Date(verification.endAt).toISOString().slice(11, 19);
    return wait(
      "Verifying",
      "Verifying",
      `${back}; verifying until ${until} UTC: ${names}`,
      Math.max(0, verification.nextAt - now),
    );
  }
  const unclear = checks.filter(({ outcome }) => outcome === "Inconclusive");
  if (unclear.length > 0) {
    const why = unclear.map(({ name, value }) => `${name} (${value})`).join(", ");
    return {
      kind: "Finish",
      ending: {
        phase: "Succeeded",
        reason: "RolledBack",
        message: `${back}; not verified, data was missing: ${why}`,
        verified: { status: "Unknown", reason: "Inconclusive" },
      },
    };
  }
  const proof = checks.map(({ name, value }) => `${name} ${value}`).join(", ");
  return {
    kind: "Finish",
    ending: {
      phase: "Succeeded",
      reason: "RolledBack",
      message: checks.length === 0 ? `${back}; no check was asked for` : `${back} and verified: ${proof}`,
      verified:
        checks.length === 0
          ? { status: "Unknown", reason: "NoChecks" }
          : { status: "True", reason: "Passed" },
    },
  };
}
