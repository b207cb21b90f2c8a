import type { KubeClient } from "../../src/kube/client.ts";

/** What a crash looks like from inside: nothing after it happens. */
export class Crash extends Error {
  override readonly name = "Crash";
}

export interface FaultyClient {
  readonly client: KubeClient;
  /** Calls begun so far, the one that failed included. */
  calls(): number;
}

/** What happens to a call. */
export type Fault = (ordinal: number, verb: string, args: readonly unknown[]) => Promise<void> | void;

export interface Faults {
  /** Called before the call of this ordinal, counted from 1, is sent; throwing keeps it back. */
  readonly before?: Fault;
  /** Called when the answer is there; throwing loses it. */
  readonly after?: Fault;
}

/** The calls of a client, each with something that happens before it is sent or after it is answered. */
export function faultyClient(client: KubeClient, faults: Faults): FaultyClient {
  let calls = 0;
  const wrap = (inner: KubeClient): KubeClient =>
    new Proxy(inner, {
      get(target, verb: string) {
        const member: unknown = Reflect.get(target, verb);
        if (verb === "as") return (account: Parameters<KubeClient["as"]>[0]) => wrap(target.as(account));
        if (typeof member !== "function") return member;
        return async (...args: readonly unknown[]) => {
          const ordinal = (calls += 1);
          await faults.before?.(ordinal, verb, args);
          const answer: unknown = await Reflect.apply(member, target, args);
          await faults.after?.(ordinal, verb, args);
          return answer;
        };
      },
    });
  return { client: wrap(client), calls: () => calls };
}
