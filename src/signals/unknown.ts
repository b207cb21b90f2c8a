import type { UnknownKind } from "../decision/sample.ts";
import type { WhyUnknown } from "../kube/target-watch.ts";

/** What a reading is while the cluster's objects are not known. */
export function kindOfUnknown(reason: WhyUnknown): UnknownKind {
  switch (reason) {
    case "NotListed":
      return "NoData";
    case "Failing":
      return "Error";
    case "Stale":
      return "Stale";
  }
}
