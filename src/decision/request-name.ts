export interface RequestIdentity {
  readonly targetUid: string;
  readonly targetName: string;
  readonly replicaSetUid: string;
  readonly revision: number;
  /** 1 for the first automatic request of a release. */
  readonly attempt: number;
  /** Of several plans of a policy each has requests of its own; absent for the default one. */
  readonly plan?: string;
  /** Makes the name one that cannot be foreseen. */
  readonly salt?: string;
}

/** A label holds 63 characters: `-r`, up to 10 digits of revision, `-` and 16 hex digits are taken by the rest. */
const PREFIX_LENGTH = 63 - 2 - 10 - 1 - 16;

/**
 * The name of an automatic request, a DNS label of at most 63 characters. Equal for equal identities, so two leaders
 * that decide the same thing create one object.
 */
export function automaticRequestName(identity: RequestIdentity): string {
  const { targetUid, targetName, replicaSetUid, revision, attempt, plan, salt } = identity;
  const readable = targetName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, PREFIX_LENGTH)
    .replaceAll(/^-+|-+$/g, "");
  const parts = [targetUid, replicaSetUid, revision, attempt, plan, salt].filter(
    (part) => part !== undefined,
  );
  const hash = fnv1a64(parts.join("/"));
  return `${readable || "target"}-r${String(revision).replaceAll(/\D/g, "").slice(0, 10)}-${hash}`;
}

/** FNV-1a, 64 bits, as 16 hex digits: identifies, does not protect (the inputs are the cluster's own UIDs). */
function fnv1a64(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
}
