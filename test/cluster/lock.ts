import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Runs `work` while no other process of this machine (and network namespace) runs under the same name. The lock is
 * a socket of Linux's abstract namespace: the kernel drops it with its process, however that ends, so that there is
 * no stale lock to judge.
 */
export async function withLock<T>(
  name: string,
  onWait: () => void,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  let waited = false;
  let server = await tryLock(name);
  while (server === undefined) {
    signal?.throwIfAborted();
    if (!waited) onWait();
    waited = true;
    await sleep(200, undefined, { signal });
    server = await tryLock(name);
  }
  try {
    return await work();
  } finally {
    server.close();
  }
}

function tryLock(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy());
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(undefined) : reject(error),
    );
    // An abstract address holds at most 107 bytes; the last ones are those that tell names apart.
    server.listen(`\0rollback-operator/${name.slice(-80)}`, () => {
      server.unref();
      resolve(server);
    });
  });
}
