import type { SmokeCheck } from "../../crds/pod-checks.ts";
import { parseDuration } from "../../crds/duration.ts";
import { fail, noVerdict, pass, type Check, type CheckContext } from "../check.ts";
import { askPod } from "../pod-answer.ts";
import { podsInTurn, servicePods, servicePodsRights, type PodPort } from "../service-pods.ts";

interface PathResult {
  readonly outcome: "Pass" | "Fail" | "NoVerdict";
  readonly text: string;
}

/** Every path is answered with 2xx, each by one Ready pod of the restored version, the pods taking turns. */
export const smokeCheck: Check<SmokeCheck> = {
  kind: "smoke",
  requiredRights: servicePodsRights,
  windowMs: () => 0,
  async sample(spec, context) {
    const found = await servicePods(spec, context);
    if (found.kind === "Nobody") return noVerdict(found.why);
    const pods = podsInTurn(found.ports, spec.requests.length, context.now);
    const [first] = found.ports;
    const results = await Promise.all(
      spec.requests.map((path, index) => ask(path, pods[index % pods.length] ?? first, spec, context)),
    );
    const failed = results.filter(({ outcome }) => outcome === "Fail");
    const unclear = results.filter(({ outcome }) => outcome === "NoVerdict");
    const passed = results.length - failed.length - unclear.length;
    const told = [...failed, ...unclear].map(({ text }) => text);
    const value = [`${passed}/${results.length} paths`, ...told].join("; ");
    if (failed.length > 0) return fail(value);
    return unclear.length > 0 ? noVerdict(value) : pass(value);
  },
};

async function ask(
  path: string,
  target: PodPort,
  spec: SmokeCheck,
  context: CheckContext,
): Promise<PathResult> {
  const { executor, namespace, signal } = context;
  const timeoutMs = parseDuration(spec.timeout);
  const answer = await askPod({ executor, namespace, target, path, timeoutMs, signal });
  const title = `GET ${path} on pod ${target.pod}`;
  if (answer.kind === "Unclear") {
    const why = answer.why === "no answer" ? `no answer within ${spec.timeout}` : answer.why;
    return { outcome: "NoVerdict", text: `${title}: ${why}` };
  }
  const { code, body } = answer;
  if (code < 200 || code > 299) {
    const redirect = code >= 300 && code < 400 ? " (redirects are not followed)" : "";
    return { outcome: "Fail", text: `${title}: ${code}${redirect}, expected 2xx` };
  }
  return body.end === "Late"
    ? { outcome: "Fail", text: `${title}: ${code}, but the answer did not end within ${spec.timeout}` }
    : { outcome: "Pass", text: title };
}
