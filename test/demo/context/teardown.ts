import { rm } from "node:fs/promises";
import type { Progress } from "../../cluster/progress.ts";
import { type DemoLayout, NAMESPACE, TOOLS_NAMESPACE } from "../demo-layout.ts";
import { SYSTEM_NAMESPACE } from "../operator-pods.ts";
import { clearNamespace } from "../story/opening.ts";
import { contextClient, contextKubectl } from "./access.ts";
import { madeByUs, OURS_SELECTOR, usedElsewhere } from "./claims.ts";

/** Removes what carries the demo's label, and nothing else; the operator goes last, for it ends its own objects. */
export async function removeFromContext(
  demo: DemoLayout & { readonly context: string },
  progress: Progress,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const kubectl = await contextKubectl(demo.context);
  const made = await madeByUs(kubectl);
  if (made.length === 0) return [];
  const used = made.some((name) => name.startsWith("customresourcedefinition/"))
    ? await usedElsewhere(kubectl)
    : [];
  if (used.length > 0) {
    throw new Error(
      `the demo's operator has work outside the demo, which would end with it; delete these first:\n${used
        .map((line) => `  - ${line}`)
        .join("\n")}`,
    );
  }
  const remove = (kinds: string, ...more: readonly string[]): Promise<string> =>
    kubectl(["delete", kinds, "-l", OURS_SELECTOR, "--ignore-not-found", "--timeout=120s", ...more]);
  if (made.includes(`namespace/${NAMESPACE}`)) {
    await clearNamespace(await contextClient(demo.context), progress.step, signal);
  }
  progress.step(`removing ${TOOLS_NAMESPACE}, ${SYSTEM_NAMESPACE}, rights and CRDs`);
  await remove("namespaces");
  await remove("clusterrolebindings,clusterroles");
  await remove("customresourcedefinitions");
  await rm(demo.dir, { recursive: true, force: true });
  return made;
}
