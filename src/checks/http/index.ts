import type { HttpCheck } from "../../crds/pod-checks.ts";
import { formatDuration, parseDuration } from "../../crds/duration.ts";
import { fail, noVerdict, pass, type Check, type CheckContext, type CheckSample } from "../check.ts";
import { askPod } from "../pod-answer.ts";
import { podsInTurn, servicePods, servicePodsRights, type PodPort } from "../service-pods.ts";
import { judgeAnswer, type Judgement } from "./expectation.ts";

/** Pods asked in one sample at most; of more, each sample takes the next ones. */
const MOST_PODS = 20;

/** Every Ready pod of the restored version behind a Service answers a GET as expected. */
export const httpCheck: Check<HttpCheck> = {
  kind: "http",
  requiredRights: servicePodsRights,
  windowMs: () => 0,
  async sample(spec, context) {
    const found = await servicePods(spec, context);
    if (found.kind === "Nobody") return noVerdict(found.why);
    const chosen = podsInTurn(found.ports, MOST_PODS, context.now);
    const samples = await Promise.all(chosen.map((target) => samplePod(spec, target, context)));
    const worst =
      samples.find(({ outcome }) => outcome === "Fail") ?? samples.find(({ outcome }) => outcome !== "Pass");
    if (worst !== undefined) return worst;
    const pods =
      chosen.length === found.ports.length ? `${chosen.length}` : `${chosen.length} of ${found.ports.length}`;
    return pass(`GET ${spec.path}: good on ${pods} pod${pods === "1" ? "" : "s"}`);
  },
};

/** `passes` of `of` requests to one pod, no more than it takes to know. */
async function samplePod(spec: HttpCheck, target: PodPort, context: CheckContext): Promise<CheckSample> {
  const tries: Judgement[] = [];
  const count = (kind: Judgement["kind"]) => tries.filter((each) => each.kind === kind).length;
  while (count("Good") < spec.passes && count("Bad") <= spec.of - spec.passes && tries.length < spec.of) {
    tries.push(await tryOnce(spec, target, context));
  }
  if (count("Good") >= spec.passes) return pass("good");
  const isFailed = count("Bad") > spec.of - spec.passes;
  const shown = tries.findLast(({ kind }) => kind === (isFailed ? "Bad" : "Unclear"));
  const why = shown === undefined || shown.kind === "Good" ? "no answer" : shown.why;
  const share =
    spec.of === 1 ? "" : `; ${count("Good")} of ${tries.length} good, ${spec.passes} of ${spec.of} needed`;
  const value = `GET ${spec.path} on pod ${target.pod}: ${why}${share}`;
  return isFailed ? fail(value) : noVerdict(value);
}

async function tryOnce(spec: HttpCheck, target: PodPort, context: CheckContext): Promise<Judgement> {
  const { executor, namespace, signal } = context;
  const timeoutMs = parseDuration(spec.timeout);
  const answer = await askPod({ executor, namespace, target, path: spec.path, timeoutMs, signal });
  if (answer.kind === "Unclear") return { kind: "Unclear", why: unclearText(answer.why, spec.timeout) };
  const { code, body, elapsedMs } = answer;
  // A status that is bad in itself says more than how long its body took.
  const judgement = judgeAnswer(spec.expect, code, body);
  if (judgement.kind === "Bad" && body.end !== "Late") return judgement;
  if (body.end === "Late")
    return { kind: "Bad", why: `${code}, but the answer did not end within ${spec.timeout}` };
  if (spec.latency !== undefined && elapsedMs > parseDuration(spec.latency)) {
    const took = formatDuration(Math.ceil(elapsedMs));
    return { kind: "Bad", why: `${code} after ${took}, expected within ${spec.latency}` };
  }
  return judgement;
}

function unclearText(why: string, timeout: string): string {
  return why === "no answer" ? `no answer within ${timeout}` : why;
}
