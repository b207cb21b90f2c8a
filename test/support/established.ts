import { waitFor } from "../cluster/readiness.ts";
import type { Kubectl } from "./kubectl.ts";

/**
 * Waits until kinds are served; `what` names their CRDs as kubectl takes them (`-f FOLDER`, `crd/NAME`). A CRD that was
 * made this moment has no conditions at all, which `kubectl wait` takes for an error.
 */
export async function awaitEstablished(kubectl: Kubectl, what: readonly string[]): Promise<void> {
  const wait = ["wait", "--for=condition=Established", "--timeout=5s", ...what];
  let complaint = "";
  const isEstablished = async () => {
    const { code, stderr } = await kubectl.attempt(wait);
    complaint = stderr.trim();
    return code === 0;
  };
  try {
    await waitFor(`${what.join(" ")} established`, isEstablished, { timeoutMs: 60_000 });
  } catch (error) {
    throw new Error(complaint, { cause: error });
  }
}
