import { get } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { AdminAccess } from "./components.ts";

/** The HTTP status of a GET as administrator; undefined while nobody answers. */
export function statusOf(access: AdminAccess, path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const request = get(
      new URL(path, access.server),
      {
        ca: access.caData,
        headers: { authorization: `Bearer ${access.adminToken}` },
        timeout: 2000,
        agent: false,
      },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(undefined));
  });
}

/** Asks until `probe` says true; throws the abort's reason, or an error that names `what` after `timeoutMs`. */
export async function waitFor(
  what: string,
  probe: () => Promise<boolean>,
  options: { readonly timeoutMs: number; readonly intervalMs?: number; readonly signal?: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  while (!(await probe())) {
    options.signal?.throwIfAborted();
    if (performance.now() > deadline) throw new Error(`${what}: not within ${options.timeoutMs / 1000} s`);
    await sleep(options.intervalMs ?? 50, undefined, { signal: options.signal });
  }
}

/** `waitFor`, given up at once when `failure` rejects: that error says more than a time-out would. */
export async function waitForUnless(
  failure: Promise<never>,
  what: string,
  probe: () => Promise<boolean>,
  options: { readonly timeoutMs: number; readonly intervalMs?: number; readonly signal?: AbortSignal },
): Promise<void> {
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const waiting = waitFor(what, probe, { ...options, signal });
  // Once the failure has won, nobody listens to this one.
  waiting.catch(() => undefined);
  try {
    await Promise.race([waiting, failure]);
  } finally {
    over.abort();
  }
}
