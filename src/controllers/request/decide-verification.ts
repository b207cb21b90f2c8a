import { finish, wait, type Decision } from "./decision.ts";
import type { Situation } from "./situation.ts";
import { backSentence } from "./wording.ts";

/** After the last step: whether it helped. */
export function decideVerification({ request, progress, verification }: Situation, now: number): Decision {
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
