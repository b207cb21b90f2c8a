import { KubeError } from "./errors.ts";

/** What a URL's path and query may hold (RFC 3986), escapes whole. */
const PATH = /^\/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*$/;
const QUERY = /^([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*$/;
/** Separators and what only a trick would send: a slash or backslash in an escape, an escape of an escape, controls. */
const TRICK = /%(2f|5c|25|[01][0-9a-f]|7f)/i;
const LONGEST = 256;

/**
 * Checks a path with an optional query that a pod is asked for: absolute, no empty or dot segments in any reading
 * (raw, decoded, decoded again), no scheme or authority. What stands in the way is decoded by several parties on its
 * way (the API server, the application), so nothing is allowed that two of them could read differently. Returns it.
 * Throws KubeError BadName.
 */
export function checkProbePath(target: string): string {
  const [path = "", ...rest] = target.split("?");
  const query = rest.join("?");
  if (target.length > LONGEST) throw refused(target, `is longer than ${LONGEST} characters`);
  if (!PATH.test(path) || !QUERY.test(query)) {
    throw refused(target, "is not an absolute path, such as /health, in characters of a URL");
  }
  if (TRICK.test(path)) throw refused(target, "hides a separator, a control or an escape in an escape");
  const segments = path.split("/").slice(1);
  if (segments.slice(0, -1).includes("")) throw refused(target, "has an empty segment");
  if (segments.some((segment) => /^(\.|%2e){1,2}$/i.test(segment)))
    throw refused(target, "has a dot segment");
  return target;
}

function refused(target: string, problem: string): KubeError {
  return new KubeError({
    code: 0,
    reason: "BadName",
    verb: "get",
    target: `path ${JSON.stringify(target.slice(0, LONGEST))}`,
    path: "",
    detail: `it ${problem}`,
    retryable: false,
    outcomeUnknown: false,
  });
}
