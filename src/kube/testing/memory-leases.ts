import { KubeError } from "../errors.ts";
import type { LeaseSpec, LeaseStore } from "../leader-election.ts";
import type { Lease } from "../well-known.ts";

/** A Lease in memory with the server's compare-and-set. */
export interface MemoryLease {
  readonly current: Lease | undefined;
  delete(): void;
  /** Access for one elector; `around` may delay a call, fail it before, or lose its answer after. */
  open(around?: <T>(verb: string, act: () => T) => Promise<T>): LeaseStore;
}

/** An empty lease store. */
export function createMemoryLease(): MemoryLease {
  let current: Lease | undefined;
  let version = 0;

  function write(spec: LeaseSpec): Lease {
    version += 1;
    const metadata = {
      name: "l",
      namespace: "n",
      uid: "u",
      resourceVersion: String(version),
      creationTimestamp: "",
    };
    current = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
    return current;
  }

  return {
    get current() {
      return current;
    },
    delete() {
      current = undefined;
    },
    open(around = async (_verb, act) => act()) {
      return {
        read: () => around("read", () => current),
        create: (spec) =>
          around("create", () => {
            if (current !== undefined) throw refusal(409, "AlreadyExists");
            return write(spec);
          }),
        replace: (lease, spec) =>
          around("replace", () => {
            if (current === undefined) throw refusal(404, "NotFound");
            if (current.metadata.resourceVersion !== lease.metadata.resourceVersion)
              throw refusal(409, "Conflict");
            return write(spec);
          }),
      };
    },
  };
}

function refusal(code: number, reason: string): KubeError {
  const facts = {
    verb: "replace",
    target: "leases n/l",
    path: "",
    detail: reason,
    retryable: false,
    outcomeUnknown: false,
  };
  return new KubeError({ ...facts, code, reason });
}
