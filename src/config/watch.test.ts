import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { watchConfig } from "./watch.ts";

describe("watchConfig", () => {
  let dir: string;
  let stop: AbortController;
  let end: Promise<void>;
  /** What was told, in order: the limit of a valid file, or `refused`. */
  let told: (number | string)[];
  /** Ends the watch's present sleep; resolves when it sleeps again. */
  let poll: () => Promise<void>;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "rollback-config-"));
    stop = new AbortController();
    told = [];
  });

  afterEach(async () => {
    stop.abort(new Error("the test is over"));
    await end;
    await rm(dir, { recursive: true });
  });

  /** Mounts a ConfigMap as the kubelet does: a link to a file behind the link `..data`, which is swapped. */
  async function mount(version: number, text: string): Promise<void> {
    const versioned = `..version-${version}`;
    await mkdir(join(dir, versioned));
    await writeFile(join(dir, versioned, "operator.yaml"), text);
    await symlink(versioned, join(dir, "..data_tmp"));
    await rename(join(dir, "..data_tmp"), join(dir, "..data"));
    if (version === 1) await symlink("..data/operator.yaml", join(dir, "operator.yaml"));
    else await rm(join(dir, `..version-${version - 1}`), { recursive: true });
  }

  const limit = (count: number) => `limits: {concurrentRequests: ${count}}`;

  async function watch(): Promise<void> {
    let wake = () => {};
    let asleep = Promise.withResolvers<void>();
    poll = async () => {
      asleep = Promise.withResolvers<void>();
      wake();
      await asleep.promise;
    };
    end = watchConfig(
      {
        path: join(dir, "operator.yaml"),
        clock: {
          sleep: (_ms, signal) =>
            new Promise((resolve, reject) => {
              wake = resolve;
              signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
              asleep.resolve();
            }),
        },
        onFile: ({ limits }) => told.push(limits.concurrentRequests),
        onProblem: ({ problems }) => told.push(`refused: ${problems.join()}`),
      },
      stop.signal,
    );
    await asleep.promise;
  }

  async function polls(count: number): Promise<void> {
    for (let done = 0; done < count; done += 1) await poll();
  }

  it("tells each content once, through swaps of the link", async () => {
    await mount(1, limit(1));
    await watch();
    await polls(3);
    expect(told).toEqual([1]);
    await mount(2, limit(2));
    await polls(3);
    expect(told).toEqual([1, 2]);
    await mount(3, limit(2));
    await polls(3);
    expect(told).toEqual([1, 2]);
  });

  it("tells a problem once with its path, and the file that mends it", async () => {
    await mount(1, limit(1));
    await watch();
    await polls(2);
    await mount(2, "limits: {concurrent: 2}");
    await polls(3);
    expect(told).toEqual([1, expect.stringMatching(/^refused: limits: .*concurrent/)]);
    await mount(3, limit(1));
    await polls(2);
    expect(told.slice(2)).toEqual([1]);
  });

  it("waits while the file is still being written: half a file can be valid", async () => {
    await mount(1, limit(1));
    await watch();
    await polls(2);
    const path = join(dir, "..version-1", "operator.yaml");
    await writeFile(path, "limits: {}");
    await polls(1);
    await writeFile(path, `limits: {}\n${"# more\n".repeat(3)}`);
    await polls(1);
    expect(told).toEqual([1]);
    await polls(1);
    expect(told).toEqual([1, 20]);
  });

  it("tells a file that is gone, and goes on when it is back", async () => {
    await mount(1, limit(1));
    await watch();
    await polls(2);
    await rm(join(dir, "..data"));
    await polls(3);
    expect(told).toEqual([1, expect.stringMatching(/^refused: .*ENOENT/)]);
    await mount(2, limit(1));
    await polls(2);
    expect(told.slice(2)).toEqual([1]);
  });
});
