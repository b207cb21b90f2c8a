import type { KubeObject } from "../kube/objects.ts";
import { gitOpsOwners, type GitOpsOwner } from "./owner.ts";

/** What a plan does about an object that a GitOps tool would set back. */
export interface GitOpsRule {
  /** Why the object must not be changed; undefined when it may be. */
  refusal(object: KubeObject): string | undefined;
}

/** A changed object and whose it is. */
export interface OwnedObject {
  readonly object: KubeObject;
  readonly owner: GitOpsOwner;
}

/** Nothing that a GitOps tool owns is changed. */
export const REFUSE_OWNED: GitOpsRule = {
  refusal(object) {
    const [owner] = gitOpsOwners(object);
    return owner === undefined ? undefined : `managed by ${owner.tool} ${owner.owner}: ${owner.remedy}`;
  },
};

/** Lets everything pass and remembers what was owned: its owners are stopped before the first change. */
export class NotedOwners implements GitOpsRule {
  readonly #owned = new Map<string, OwnedObject>();

  refusal(object: KubeObject): undefined {
    const { kind, metadata } = object;
    for (const owner of gitOpsOwners(object)) {
      this.#owned.set(`${owner.owner} ${kind}/${metadata.name}`, { object, owner });
    }
  }

  /** In an order of its own: a plan looks at its objects at once, and its digest must not hang on who answers first. */
  list(): readonly OwnedObject[] {
    return [...this.#owned.keys()].toSorted().flatMap((key) => this.#owned.get(key) ?? []);
  }
}
