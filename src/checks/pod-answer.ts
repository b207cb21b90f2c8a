import type { KubeClient } from "../kube/client.ts";
import { errorMessage, isAborted, KubeError } from "../kube/errors.ts";
import type { RawAnswer } from "../kube/raw-answer.ts";
import type { PodPort } from "./service-pods.ts";

/** What one request to a pod brought. */
export type PodAnswer =
  | { readonly kind: "Answered"; readonly code: number; readonly body: Body; readonly elapsedMs: number }
  /** Nothing can be said of the application: whoever answered, it may not have been the application. */
  | { readonly kind: "Unclear"; readonly why: string };

export interface Body {
  readonly text: string;
  /** Cut: longer than is read. Late: it did not end in time. */
  readonly end: RawAnswer["end"];
}

export interface PodRequest {
  readonly executor: KubeClient;
  readonly namespace: string;
  readonly target: PodPort;
  readonly path: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** How much of a body is read, bytes. */
export const MAX_BODY_BYTES = 64 * 1024;

/** Texts of the API server's own plain answers (`WithPanicRecovery`, `responsewriters.InternalError`). */
const SERVER_TEXT = /^(This request caused apiserver to panic|Internal Server Error: )/;

/**
 * Asks a pod once. Throws KubeError only when the caller gave up. An application is held responsible for nothing but
 * what it has said itself: no answer at all may be the network between the API server and the pod.
 */
export async function askPod(request: PodRequest): Promise<PodAnswer> {
  const { executor, namespace, target, path, timeoutMs, signal } = request;
  try {
    const key = { namespace, name: target.pod };
    const limits = { signal, deadlineMs: timeoutMs, maxBytes: MAX_BODY_BYTES };
    return classify(await executor.getFromPod(key, target.port, path, limits));
  } catch (error) {
    if (!(error instanceof KubeError) || isAborted(error)) throw error;
    return { kind: "Unclear", why: error.reason === "DeadlineExceeded" ? "no answer" : errorMessage(error) };
  }
}

/**
 * Tells the application's answers from those that were made on the way. The API server makes no 2xx of its own here;
 * its refusals are Status objects, or plain text while it is overloaded or broken. An application may imitate all of
 * them: so what looks like the API server's is nobody's, neither good nor bad.
 */
export function classify(answer: RawAnswer): PodAnswer {
  const { code, headers, end, elapsedMs } = answer;
  // Every answer that passes the API server carries it; a load balancer or a login page before it does not.
  if (headers["audit-id"] === undefined) {
    return unclear(`HTTP ${code} from something between the operator and the API server`);
  }
  const text = new TextDecoder().decode(answer.body);
  const status = statusMessage(text);
  if (status !== undefined) return unclear(`the API server says ${code}: ${status}`);
  if (code === 429) return unclear("429: the API server or the application has too many requests");
  if (code >= 500 && SERVER_TEXT.test(text)) return unclear(`the API server says ${code}: ${text.trim()}`);
  return { kind: "Answered", code, body: { text, end }, elapsedMs };
}

/** The message of a body that is a Kubernetes Status, whoever made it. */
function statusMessage(text: string): string | undefined {
  if (!text.includes('"Status"')) return undefined;
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== "object" || body === null || !("kind" in body) || body.kind !== "Status")
      return undefined;
    return "message" in body && typeof body.message === "string" ? body.message : "(no message)";
  } catch {
    return undefined;
  }
}

function unclear(why: string): PodAnswer {
  return { kind: "Unclear", why };
}
