import type { TargetKey } from "../../actions/action.ts";
import type { KubeClient } from "../../kube/client.ts";
import { microTime } from "../../kube/clock.ts";
import { isAlreadyExists, isConflict, isNotFound } from "../../kube/errors.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { ROLLBACK_REQUESTS } from "../../kube/rollback-kinds.ts";
import { leaseType, type Lease } from "../../kube/well-known.ts";
import { byHash, targetHash } from "../ledger/ledger.ts";
import { isFinished } from "./phase.ts";

/** Who holds a lock: a request, or what finishes a temporary change of a ledger. */
export interface LockHolder {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Begins the UID of a holder that is no request. */
const FINISHER = "due-";

/**
 * Finishing takes one pass, which ends within this time, milliseconds; a lock that is older belongs to a process that
 * died in it.
 */
const FINISHER_HOLDS_MS = 30_000;

/** Holds locks while temporary changes of this ledger are finished. */
export function finisher({ metadata }: Pick<KubeObject, "metadata">): LockHolder {
  return { namespace: metadata.namespace ?? "", name: metadata.name, uid: `${FINISHER}${metadata.uid}` };
}

export function isFinisher({ uid }: LockHolder): boolean {
  return uid.startsWith(FINISHER);
}

export type LockState =
  | { readonly kind: "Held" }
  /** Somebody who is not done with it. */
  | { readonly kind: "Busy"; readonly holder: LockHolder };

/**
 * One request per target, by a Lease in the operator's own namespace, never renewed. It is stale when its holder is gone
 * or finished, not by time, and is then taken over by compare-and-set.
 */
export class TargetLocks {
  readonly #client: KubeClient;
  readonly #namespace: string;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  /**
   * Takes the locks of all targets in one fixed order, so that two requests never wait for each other; or none, and
   * says who has one of them. Safe to repeat. Throws KubeError.
   */
  async takeAll(
    targets: readonly TargetKey[],
    holder: LockHolder,
    now: number,
    signal: AbortSignal,
  ): Promise<LockState> {
    const ordered = inFixedOrder(targets);
    for (const [index, target] of ordered.entries()) {
      const state = await this.take(target, holder, now, signal);
      if (state.kind === "Busy") {
        await this.releaseAll(ordered.slice(0, index), holder, signal);
        return state;
      }
    }
    return { kind: "Held" };
  }

  async releaseAll(targets: readonly TargetKey[], holder: LockHolder, signal: AbortSignal): Promise<void> {
    await Promise.all(inFixedOrder(targets).map((target) => this.release(target, holder, signal)));
  }

  /** Takes the lock, or says who has it. Safe to repeat. Throws KubeError. */
  async take(target: TargetKey, holder: LockHolder, now: number, signal: AbortSignal): Promise<LockState> {
    const key = this.#keyOf(target);
    try {
      await this.#client.create(leaseType, { metadata: { ...key }, spec: specFor(holder, now) }, { signal });
      return { kind: "Held" };
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    const lease = await this.#client.tryGet(leaseType, key, { signal });
    if (lease === undefined) return this.take(target, holder, now, signal);
    const current = parseHolder(lease.spec?.holderIdentity);
    if (current?.uid === holder.uid) return { kind: "Held" };
    if (current !== undefined && (await this.#isRunning(current, lease, now, signal))) {
      return { kind: "Busy", holder: current };
    }
    return this.#takeOver(lease, holder, current ?? holder, now, signal);
  }

  /** Gives the lock back if this holder has it; a lock of somebody else is left alone. Throws KubeError. */
  async release(target: TargetKey, holder: LockHolder, signal: AbortSignal): Promise<void> {
    const key = this.#keyOf(target);
    const lease = await this.#client.tryGet(leaseType, key, { signal });
    if (lease === undefined || parseHolder(lease.spec?.holderIdentity)?.uid !== holder.uid) return;
    const { uid, resourceVersion } = lease.metadata;
    try {
      await this.#client.delete(leaseType, key, { signal, preconditions: { uid, resourceVersion } });
    } catch (error) {
      // Somebody took it over in between: then it is not ours any more.
      if (!isConflict(error) && !isNotFound(error)) throw error;
    }
  }

  async #takeOver(
    lease: Lease,
    holder: LockHolder,
    before: LockHolder,
    now: number,
    signal: AbortSignal,
  ): Promise<LockState> {
    try {
      await this.#client.replace(leaseType, { ...lease, spec: specFor(holder, now) }, { signal });
      return { kind: "Held" };
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
      return { kind: "Busy", holder: before };
    }
  }

  async #isRunning(holder: LockHolder, { spec }: Lease, now: number, signal: AbortSignal): Promise<boolean> {
    if (isFinisher(holder)) return now - Date.parse(spec?.acquireTime ?? "") < FINISHER_HOLDS_MS;
    const request = await this.#client.tryGet(ROLLBACK_REQUESTS, holder, { signal });
    return request !== undefined && request.metadata.uid === holder.uid && !isFinished(request);
  }

  #keyOf(target: TargetKey) {
    return { namespace: this.#namespace, name: `target-${targetHash(target)}` };
  }
}

/** Each target once, by the name of its lock. */
function inFixedOrder(targets: readonly TargetKey[]): readonly TargetKey[] {
  return [...byHash(targets)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target);
}

function specFor(holder: LockHolder, now: number) {
  return { holderIdentity: `${holder.namespace}/${holder.name}/${holder.uid}`, acquireTime: microTime(now) };
}

function parseHolder(identity: string | undefined): LockHolder | undefined {
  const [namespace, name, uid] = (identity ?? "").split("/");
  return namespace === undefined || name === undefined || uid === undefined
    ? undefined
    : { namespace, name, uid };
}
