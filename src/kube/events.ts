import { abortable } from "./abort.ts";
import type { KubeClient } from "./client.ts";
import { microTime, type Clock, type Random, type Timer } from "./clock.ts";
import { cutText } from "./conditions.ts";
import { isNotFound } from "./errors.ts";
import type { KubeObject } from "./objects.ts";
import { mergePatch } from "./patch.ts";
import { eventType, type ObjectReference } from "./well-known.ts";

/** One thing that happened to one object. */
export interface EventRecord {
  readonly type: "Normal" | "Warning";
  /** CamelCase: why. */
  readonly reason: string;
  /** CamelCase: what was done or tried. */
  readonly action: string;
  /** For people; cut to 1 kB. Never a Secret's value. */
  readonly note: string;
  readonly regarding: KubeObject | ObjectReference;
  readonly related?: ObjectReference | undefined;
}

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, "create" | "patch">;
  readonly clock: Clock;
  readonly random: Random;
  /** e.g. `rollback.example.com/controller`. */
  readonly reportingController: string;
  /** The pod's name. */
  readonly reportingInstance: string;
  /** An event could not be written, or was dropped because too many wait. */
  readonly onError?: (error: unknown, record: EventRecord) => void;
  /** Distinct events that may wait; 1,000 by default. */
  readonly maxPending?: number;
  /** An event waits so long for what is more urgent than telling of it; 0 by default. */
  readonly holdMs?: number;
  /** Repeats of one event are written at most this often; 10 s by default. */
  readonly seriesIntervalMs?: number;
}

export interface EventRecorder {
  /** Queues an event; never throws and never waits. */
  record(event: EventRecord): void;
  /** Writes everything that waits, repeats included; rejects only with the signal's reason. */
  flush(signal: AbortSignal): Promise<void>;
  /** Stops timers and writes; what waits is dropped. */
  close(): void;
}

/** Events that are equal but for their time, and what the server has of them. */
interface Series {
  readonly record: EventRecord;
  /** Times it happened in all, and how many of those the server knows. */
  count: number;
  written: number;
  lastAt: number;
  /** Set once created. */
  name: string | undefined;
  /** Monotonic: not to be written before. */
  notBefore: number;
}

/** Events with their lifetime on the server (1 h by default) are not continued after so long a silence. */
const seriesEndsAfterMs = 6 * 60_000;
const longestNote = 1_024;

/** A recorder with one writer. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { clock } = options;
  const seriesIntervalMs = options.seriesIntervalMs ?? 10_000;
  const maxPending = options.maxPending ?? 1_000;
  const holdMs = options.holdMs ?? 0;
  const series = new Map<string, Series>();
  const stopping = new AbortController();
  let writing: Promise<void> | undefined;
  let timer: Timer | undefined;
  let hurry = false;

  function record(event: EventRecord): void {
    if (stopping.signal.aborted) return;
    const key = seriesKey(event);
    const known = series.get(key);
    const alive = known !== undefined && clock.now() - known.lastAt < seriesEndsAfterMs;
    if (alive) {
      known.count += 1;
      known.lastAt = clock.now();
    } else if (makeRoom()) {
      const fresh = {
        record: event,
        count: 1,
        written: 0,
        lastAt: clock.now(),
        name: undefined,
        notBefore: clock.monotonic() + holdMs,
      };
      series.delete(key);
      series.set(key, fresh);
    } else {
      fail(new Error(`${maxPending} events wait to be written: dropped one`), event);
      return;
    }
    start();
  }

  /** Forgets the oldest series that is written; false when all of them still wait. */
  function makeRoom(): boolean {
    if (series.size < maxPending) return true;
    for (const [key, each] of series) {
      if (each.written < each.count) continue;
      series.delete(key);
      return true;
    }
    return false;
  }

  function start(): void {
    writing ??= writeAll().finally(() => {
      writing = undefined;
      hurry = false;
      rest();
    });
  }

  /** Sleeps until a held-back repeat may be written. */
  function rest(): void {
    timer?.cancel();
    const next = Math.min(...[...series.values()].filter(isWaiting).map((each) => each.notBefore));
    if (next === Infinity || stopping.signal.aborted) return;
    timer = clock.setTimer(Math.max(0, next - clock.monotonic()), start);
  }

  async function writeAll(): Promise<void> {
    for (let next = firstDue(); next !== undefined && !stopping.signal.aborted; next = firstDue()) {
      await write(next);
    }
  }

  function firstDue(): Series | undefined {
    const now = clock.monotonic();
    return [...series.values()].find((each) => isWaiting(each) && (hurry || each.notBefore <= now));
  }

  async function write(each: Series): Promise<void> {
    const { count, lastAt } = each;
    // Marked first: a failure is reported and not tried again, the transport has tried already.
    each.written = count;
    each.notBefore = clock.monotonic() + seriesIntervalMs;
    try {
      if (each.name === undefined) each.name = await create(each, count, lastAt);
      else await extend(each, each.name, count, lastAt);
    } catch (error) {
      if (!stopping.signal.aborted) fail(error, each.record);
    }
  }

  async function create(each: Series, count: number, lastAt: number): Promise<string> {
    const { record } = each;
    const regarding = referenceTo(record.regarding);
    // Events about cluster-scoped objects live in "default", by convention.
    const namespace = regarding.namespace || "default";
    const suffix = `${lastAt.toString(16)}${Math.floor(options.random() * 2 ** 32).toString(16)}`;
    const name = `${(regarding.name ?? "object").slice(0, 200)}.${suffix}`;
    const time = microTime(lastAt);
    const event = {
      metadata: { name, namespace },
      eventTime: time,
      reportingController: options.reportingController,
      reportingInstance: options.reportingInstance.slice(0, 128),
      type: record.type,
      reason: record.reason.slice(0, 128),
      action: record.action.slice(0, 128),
      note: cutBytes(record.note, longestNote),
      regarding,
      ...(record.related === undefined ? {} : { related: record.related }),
      // The server wants at least 2 in a series.
      ...(count > 1 ? { series: { count, lastObservedTime: time } } : {}),
    };
    await options.client.create(eventType, event, { signal: stopping.signal });
    return name;
  }

  async function extend(each: Series, name: string, count: number, lastAt: number): Promise<void> {
    const namespace = referenceTo(each.record.regarding).namespace || "default";
    const patch = mergePatch({ series: { count, lastObservedTime: microTime(lastAt) } });
    try {
      await options.client.patch(eventType, { namespace, name }, patch, {
        signal: stopping.signal,
        idempotent: true,
      });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // It outlived its time on the server.
      each.name = await create(each, count, lastAt);
    }
  }

  function fail(error: unknown, event: EventRecord): void {
    try {
      options.onError?.(error, event);
    } catch {
      // A recorder never throws into its caller.
    }
  }

  return {
    record,
    async flush(signal) {
      while ([...series.values()].some(isWaiting) || writing !== undefined) {
        hurry = true;
        start();
        if (writing !== undefined) await abortable(writing, signal);
      }
    },
    close() {
      timer?.cancel();
      stopping.abort(new Error("the event recorder was closed"));
      series.clear();
    },
  };
}

function isWaiting(each: Series): boolean {
  return each.written < each.count;
}

function seriesKey(event: EventRecord): string {
  const { namespace = "", name = "", uid = "", kind = "" } = referenceTo(event.regarding);
  return JSON.stringify([kind, namespace, name, uid, event.type, event.reason, event.action, event.note]);
}

function referenceTo(object: KubeObject | ObjectReference): ObjectReference {
  if (!("metadata" in object)) return object;
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const reference = { apiVersion: object.apiVersion, kind: object.kind, name, uid, resourceVersion };
  return namespace === undefined ? reference : { ...reference, namespace };
}

/** The server counts bytes; a character is never cut in half. */
function cutBytes(text: string, longest: number): string {
  if (Buffer.byteLength(text) <= longest) return text;
  let cut = cutText(text, longest);
  while (Buffer.byteLength(cut) > longest) cut = cutText(cut, cut.length - 1);
  return cut;
}
