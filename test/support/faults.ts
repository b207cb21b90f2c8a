import { CONNECTION_LOST, type ApiAnswer, type ApiCall, type Interceptor } from "./fault-proxy.ts";

/** What an interceptor does with the calls about one namespace; the lease and everything else gets through. */
export function within(namespace: string, next: Interceptor): Interceptor {
  return (call, forward) =>
    call.path.includes(`/namespaces/${namespace}/`) ? next(call, forward) : forward();
}

export const isStatusWrite = ({ method, path }: ApiCall) => method === "PUT" && path.endsWith("/status");
export const isAct = ({ method, path, query }: ApiCall) =>
  method === "PATCH" && path.includes("/deployments/") && !query.has("dryRun");

/** Faulty while the condition holds, at most `times` times. */
export function first(times: number, when: (call: ApiCall) => boolean, fault: Interceptor): Interceptor {
  let left = times;
  return (call, forward) => (left > 0 && when(call) && left-- > 0 ? fault(call, forward) : forward());
}

/**
 * One in three, in an order that looks like chance and is the same each time. Fifteen at most: with no end, the backoff
 * of the last write may take minutes.
 */
export function oneInThree(fault: Interceptor): Interceptor {
  let state = 7;
  const isHit = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state % 300 < 100;
  };
  return first(15, isHit, fault);
}

export const lost: Interceptor = async () => CONNECTION_LOST;
export const lostAfterwards: Interceptor = async (_call, forward) => {
  await forward();
  return CONNECTION_LOST;
};
export const cutAt =
  (bytes: number): Interceptor =>
  async (_call, forward) => ({ ...(await forward()), cutAt: bytes });
export const answered =
  (answer: ApiAnswer): Interceptor =>
  async () =>
    answer;
