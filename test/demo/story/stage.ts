import { setTimeout as sleep } from "node:timers/promises";
import type { Kubectl } from "../../support/kubectl.ts";
import type { DemoLayout } from "../demo-layout.ts";
import type { Eyes } from "./eyes.ts";
import type { Screen } from "./screen.ts";

/** Everything that a chapter of the story works with. */
export interface StoryStage {
  readonly demo: DemoLayout;
  readonly kubectl: Kubectl;
  readonly eyes: Eyes;
  readonly hasRoutes: boolean;
  readonly screen: Screen;
  readonly signal: AbortSignal;
  /** What one of the demo's processes died of, once one did. */
  readonly failure: () => Error | undefined;
}

const LOOK_EVERY_MS = 50;
/** What is over sooner needs no word about waiting. */
const SILENT_MS = 1000;

/** Looks again and again until `find` sees it. Throws, naming the fact, after `timeoutMs`. */
export async function see<T>(
  stage: Pick<StoryStage, "screen" | "signal" | "failure">,
  what: string,
  find: () => T | undefined,
  options: { readonly timeoutMs: number; readonly progress?: () => string },
): Promise<T> {
  const began = performance.now();
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    const failure = stage.failure();
    if (failure !== undefined) throw new Error(`not seen: ${what}. ${failure.message}`);
    stage.signal.throwIfAborted();
    const elapsed = performance.now() - began;
    if (elapsed > options.timeoutMs) {
      throw new Error(`not seen within ${options.timeoutMs / 1000} s: ${what}`);
    }
    if (elapsed > SILENT_MS) {
      stage.screen.waiting(options.progress?.() ?? `${what} (${Math.floor(elapsed / 1000)} s)`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

/** Runs kubectl as the user would, and shows the command with what it wrote. */
export async function type(stage: StoryStage, args: readonly string[]): Promise<string> {
  const output = await stage.kubectl(args);
  stage.screen.command(typed(stage, args), output);
  return output;
}

/** The command as a user types it at the root of the repository. */
export function typed({ demo }: Pick<StoryStage, "demo">, args: readonly string[]): string {
  return [demo.kubectl, ...args.map(quoted)].join(" ");
}

/** As a shell takes it for one word. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
