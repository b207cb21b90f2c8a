import { beforeAll, it } from "@jest/globals";

/**
 * Stories that do not touch each other, all begun at once when the suite's earlier `beforeAll` hooks have ended, each
 * reported as a test of its own. `it.concurrent` does not wait for `beforeAll`.
 */
export function inParallel(stories: Readonly<Record<string, () => Promise<void>>>, timeoutMs: number): void {
  const running = new Map<string, Promise<void>>();
  beforeAll(() => {
    for (const [name, story] of Object.entries(stories)) {
      const run = story();
      run.catch(() => undefined);
      running.set(name, run);
    }
  });
  for (const name of Object.keys(stories)) {
    it(name, () => running.get(name), timeoutMs);
  }
}
