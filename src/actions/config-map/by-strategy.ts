import { contentDigest, contentOf, type Content } from "../../config-maps/content.ts";
import { readSnapshot } from "../../config-maps/snapshot-store.ts";
import type { LedgerContent } from "../../crds/rollback-ledger.ts";
import type { ConfigMap } from "../../kube/well-known.ts";
import type { PlanContext } from "../action.ts";

export type StrategyChoice =
  | { readonly kind: "Chosen"; readonly content: Content; readonly warnings: readonly string[] }
  | { readonly kind: "NothingToDo"; readonly message: string }
  | { readonly kind: "Refused"; readonly reason: string; readonly message: string };

/** The content that a strategy means, by what the ledger remembers of this ConfigMap. Throws KubeError. */
export async function byStrategy(
  strategy: "LastKnownGood" | "Previous",
  name: string,
  map: ConfigMap,
  context: PlanContext,
): Promise<StrategyChoice> {
  const contents = context.ledger?.contents ?? [];
  const live = contentDigest(name, contentOf(map));
  const newest = contents.at(-1);
  if (newest?.digest === live && newest.productOf !== undefined) {
    const message = `ConfigMap/${name} was put back already by ${newest.productOf}; name a snapshot to go further`;
    return { kind: "NothingToDo", message };
  }
  const others = candidates(contents, live);
  const good = others.filter(({ knownGood }) => knownGood !== undefined);
  if (strategy === "Previous") return newestStored(others, name, context, []);
  if (good.length > 0) return newestStored(good, name, context, []);
  if (context.automatic) {
    return refused(
      "NoKnownGoodContent",
      `no other content of ConfigMap/${name} is known good: it must be live as long as a release bakes, with every signal Ok`,
    );
  }
  const warning = `no other content of ConfigMap/${name} is known good: this is the newest one that was not rolled back`;
  return newestStored(others, name, context, [warning]);
}

/** Newest first, each once, without the live one and those that were taken away for cause. */
function candidates(contents: readonly LedgerContent[], live: string): readonly LedgerContent[] {
  const marked = new Set(
    contents.filter(({ rolledBackBy }) => rolledBackBy !== undefined).map(({ digest }) => digest),
  );
  const seen = new Set([live]);
  return contents.toReversed().filter(({ digest }) => {
    if (seen.has(digest) || marked.has(digest)) return false;
    seen.add(digest);
    return true;
  });
}

/** The newest whose snapshot is still there; those that are not stand in a warning. */
async function newestStored(
  entries: readonly LedgerContent[],
  name: string,
  context: PlanContext,
  warnings: readonly string[],
): Promise<StrategyChoice> {
  const gone: string[] = [];
  for (const { digest, since } of entries) {
    const stored = await readSnapshot(context, name, digest);
    if (stored.kind === "Found") {
      return { kind: "Chosen", content: stored.content, warnings: [...warnings, ...gone] };
    }
    gone.push(`the content that was live since ${since} cannot be put back: ${stored.message}`);
  }
  const nothing = `ConfigMap/${name}: no other content is kept that was not rolled back`;
  const how = "name a snapshot, or give values";
  return refused("NoSnapshot", [`${nothing}; ${how}`, ...gone].join("; "));
}

function refused(reason: string, message: string): StrategyChoice {
  return { kind: "Refused", reason, message };
}
