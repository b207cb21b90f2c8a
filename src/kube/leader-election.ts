import { linkAbort } from "./abort.ts";
import { microTime, type Clock, type Random, type Timer } from "./clock.ts";
import type { KubeClient } from "./client.ts";
import { isAlreadyExists, isConflict, isNotFound } from "./errors.ts";
import type { ObjectKey } from "./objects.ts";
import { leaseType, type Lease } from "./well-known.ts";

/** The one Lease, with compare-and-set writes. */
export interface LeaseStore {
  /** Undefined when there is none. */
  read(options: LeaseCall): Promise<Lease | undefined>;
  /** Throws isAlreadyExists. */
  create(spec: LeaseSpec, options: LeaseCall): Promise<Lease>;
  /** Throws isConflict when the lease is not at `lease`'s resourceVersion, isNotFound when it is gone. */
  replace(lease: Lease, spec: LeaseSpec, options: LeaseCall): Promise<Lease>;
}

export type LeaseSpec = NonNullable<Lease["spec"]>;
export interface LeaseCall {
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
}

export interface ElectionOptions {
  readonly lease: LeaseStore;
  /** Unique for each process, not only for each pod name: `pod_uuid`. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Others wait this long after the last sign of life they saw; 15 s. */
  readonly leaseDurationMs?: number;
  /** Without a renewal for this long the leader steps down; less than leaseDuration; 10 s. */
  readonly renewDeadlineMs?: number;
  /** Pace of tries; 2 s. */
  readonly retryPeriodMs?: number;
  /**
   * Calls back when the lease may have changed, so that a candidate takes a lease that was given back, and sees signs of
   * life, without waiting for its next try. Returns how to stop. Without it, or while it is silent, candidates poll.
   */
  readonly onLeaseChange?: (listener: () => void) => () => void;
  /** The signal aborts the moment leadership is lost or given up. Resolves when all work has ended. */
  readonly onStartedLeading: (signal: AbortSignal) => Promise<void> | void;
  readonly onStoppedLeading?: () => void;
  readonly onNewLeader?: (identity: string) => void;
  readonly onError?: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** `released`: stopped by its signal. `lost`: another may lead already; the process must exit. */
export type ElectionEnd = "released" | "lost";

/**
 * Tries to get the lease, leads, and resolves when it leads no more or the signal aborts. Rejects when
 * onStartedLeading does.
 *
 * Expiry is measured on the local monotonic clock from when a change of the record was *seen*; times inside the
 * record are for people. A leader counts from when it *sent* its last good renewal, which is before any other could
 * see it, and gives up at renewDeadline < leaseDuration: so while clock rates agree, leaderships do not overlap.
 * That is no fence for writes already on their way: those carry a resourceVersion.
 */
export async function runElection(options: ElectionOptions): Promise<ElectionEnd> {
  const times = checkedTimes(options);
  const elector = createElector(options, times);
  try {
    const sentAt = await elector.acquire();
    if (sentAt === undefined) return "released";
    return await elector.lead(sentAt);
  } finally {
    elector.stop();
  }
}

/** The lease as an object of the cluster. */
export function leaseStore(
  client: Pick<KubeClient, "tryGet" | "create" | "replace">,
  key: ObjectKey,
): LeaseStore {
  return {
    read: (options) => client.tryGet(leaseType, key, options),
    create: (spec, options) => client.create(leaseType, { metadata: { ...key }, spec }, options),
    replace: (lease, spec, options) => client.replace(leaseType, { ...lease, spec }, options),
  };
}

/** Candidates come within so many ms after a holder's time is over. */
const EXPIRY_SPREAD_MS = 100;

interface Times {
  readonly leaseMs: number;
  readonly renewMs: number;
  readonly retryMs: number;
}

function checkedTimes(options: ElectionOptions): Times {
  const leaseMs = options.leaseDurationMs ?? 15_000;
  const renewMs = options.renewDeadlineMs ?? 10_000;
  const retryMs = options.retryPeriodMs ?? 2_000;
  if (!(leaseMs > renewMs && renewMs > retryMs && retryMs > 0)) {
    throw new RangeError("leader election needs leaseDuration > renewDeadline > retryPeriod > 0");
  }
  return { leaseMs, renewMs, retryMs };
}

interface Elector {
  /** Monotonic time at which the winning write was sent; undefined when the signal aborted first. */
  acquire(): Promise<number | undefined>;
  lead(sentAt: number): Promise<ElectionEnd>;
  stop(): void;
}

function createElector(options: ElectionOptions, times: Times): Elector {
  const { clock, identity, lease, random, signal } = options;
  /** The record as last seen, and the monotonic time at which it was first seen like that. */
  let seen: { readonly record: Lease; readonly at: number } | undefined;
  // Calls outlive the caller's signal: a stopping leader still releases.
  const calls = new AbortController();
  /** The lease changed since it was read last. */
  let isNews = false;
  let wake = () => {};
  const stopListening = options.onLeaseChange?.(() => {
    isNews = true;
    wake();
  });

  function call(): LeaseCall {
    return { signal: calls.signal, deadlineMs: Math.max(times.retryMs, times.renewMs / 2) };
  }

  function observe(record: Lease): void {
    if (seen?.record.metadata.resourceVersion === record.metadata.resourceVersion) return;
    const before = seen?.record.spec?.holderIdentity;
    seen = { record, at: clock.monotonic() };
    const holder = record.spec?.holderIdentity ?? "";
    if (holder !== "" && holder !== before) options.onNewLeader?.(holder);
  }

  /** One try to get the lease. Returns when the write was sent, undefined when another holds it. */
  async function tryAcquire(): Promise<number | undefined> {
    isNews = false;
    const record = await lease.read(call());
    if (signal.aborted) return undefined;
    const sentAt = clock.monotonic();
    if (record === undefined) {
      observe(await lease.create(newTerm(undefined), call()));
      return sentAt;
    }
    observe(record);
    if (isHeldByOther(record)) return undefined;
    observe(await lease.replace(record, newTerm(record), call()));
    return sentAt;
  }

  function isHeldByOther(record: Lease): boolean {
    const holder = record.spec?.holderIdentity ?? "";
    if (holder === "" || holder === identity || seen === undefined) return false;
    return clock.monotonic() < expiryOf(seen);
  }

  /** When others may take the lease: after the holder's own promise, or ours when it made none. */
  function expiryOf({ record, at }: { readonly record: Lease; readonly at: number }): number {
    const declared = (record.spec?.leaseDurationSeconds ?? 0) * 1_000;
    return at + Math.max(declared, times.leaseMs);
  }

  function newTerm(previous: Lease | undefined): LeaseSpec {
    const now = microTime(clock.now());
    const mine = previous?.spec?.holderIdentity === identity;
    const transitions = previous?.spec?.leaseTransitions ?? 0;
    return {
      ...previous?.spec,
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(times.leaseMs / 1_000),
      acquireTime: mine ? (previous.spec?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: previous === undefined || mine ? transitions : transitions + 1,
    };
  }

  async function acquire(): Promise<number | undefined> {
    while (!signal.aborted) {
      const sentAt = await tryAcquire().catch((error: unknown) => {
        if (!isConflict(error) && !isAlreadyExists(error)) options.onError?.(error);
        return undefined;
      });
      if (sentAt !== undefined) {
        // An answer that took too long is worth nothing: the time counts from sending.
        if (!signal.aborted && clock.monotonic() - sentAt < times.renewMs) return sentAt;
        if (signal.aborted) await release();
        continue;
      }
      await untilNextTry();
    }
    return undefined;
  }

  /** Until the lease changes, its holder's time is over, or the pace of tries; spread, so that not all come at once. */
  async function untilNextTry(): Promise<void> {
    if (isNews) return;
    const woken = linkAbort(signal);
    wake = () => woken.abort(new Error("the lease changed"));
    const left = seen === undefined ? 0 : expiryOf(seen) - clock.monotonic();
    const pace = times.retryMs * (1 + random());
    const beyond = left > 0 ? left + EXPIRY_SPREAD_MS * random() : pace;
    await clock.sleep(Math.min(pace, beyond), woken.signal).catch(() => {});
    wake = () => {};
    woken.unlink();
  }

  async function lead(sentAt: number): Promise<ElectionEnd> {
    const leading = linkAbort(signal);
    const lost = Promise.withResolvers<"lost">();
    const lose = (reason: string) => {
      leading.abort(new Error(reason));
      lost.resolve("lost");
    };
    const dog = createWatchdog(clock, times.renewMs, sentAt, () =>
      lose("the lease could not be renewed in time"),
    );
    const ending = new AbortController();
    try {
      const renewing = keepRenewing(ending.signal, dog, () =>
        lose("another holds the lease, or it was deleted"),
      );
      // A leader that was told to stop renews while its work ends. One that lost waits for nothing.
      const ended = workUntilAborted(leading.signal).finally(() => ending.abort());
      const end = await Promise.race([
        lost.promise,
        Promise.all([ended, renewing]).then(() => "released" as const),
      ]);
      if (end === "released") await Promise.race([release(), lost.promise]);
      return end;
    } finally {
      ending.abort();
      leading.abort(new Error("leadership is over"));
      leading.unlink();
      dog.stop();
      options.onStoppedLeading?.();
    }
  }

  /** Resolves when the signal has aborted and the work has ended. */
  async function workUntilAborted(leading: AbortSignal): Promise<void> {
    await options.onStartedLeading(leading);
    await new Promise<void>((resolve) => {
      if (leading.aborted) resolve();
      else leading.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  async function keepRenewing(ending: AbortSignal, dog: Watchdog, onLost: () => void): Promise<void> {
    for (;;) {
      await clock.sleep(times.retryMs, ending).catch(() => {});
      if (ending.aborted) return;
      const sentAt = clock.monotonic();
      const verdict = await renew();
      if (verdict === "renewed") dog.feed(sentAt);
      if (verdict === "lost") return onLost();
    }
  }

  async function renew(): Promise<"renewed" | "failed" | "lost"> {
    try {
      const record = seen?.record ?? (await lease.read(call()));
      // Deleted by someone: another may have made it anew already.
      if (record === undefined || record.spec?.holderIdentity !== identity) return "lost";
      observe(record);
      observe(await lease.replace(record, newTerm(record), call()));
      return "renewed";
    } catch (error) {
      if (isNotFound(error)) return "lost";
      // What stands there now is not known: read before the next write.
      seen = undefined;
      // A conflict is another's write, or our own whose answer was lost: the holder tells.
      if (isConflict(error)) return renew();
      options.onError?.(error);
      return "failed";
    }
  }

  async function release(): Promise<void> {
    if (seen?.record.spec?.holderIdentity !== identity) return;
    const now = microTime(clock.now());
    const spec = { ...seen.record.spec, holderIdentity: "", leaseDurationSeconds: 1, renewTime: now };
    await lease.replace(seen.record, spec, call()).catch((error: unknown) => options.onError?.(error));
  }

  return {
    acquire,
    lead,
    stop() {
      stopListening?.();
      calls.abort(new Error("the election is over"));
    },
  };
}

interface Watchdog {
  /** A renewal sent at this time succeeded. */
  feed(sentAt: number): void;
  stop(): void;
}

/** Calls back at the renew deadline on its own timer, whatever the calls to the server do. */
function createWatchdog(clock: Clock, renewMs: number, sentAt: number, onExpired: () => void): Watchdog {
  let expiresAt = sentAt + renewMs;
  const arm = (): Timer =>
    clock.setTimer(expiresAt - clock.monotonic(), () => {
      if (clock.monotonic() >= expiresAt) onExpired();
      else timer = arm();
    });
  let timer = arm();
  return {
    feed(at) {
      // Once expired it stays so, even if a late answer says otherwise.
      if (clock.monotonic() < expiresAt) expiresAt = at + renewMs;
    },
    stop: () => timer.cancel(),
  };
}
