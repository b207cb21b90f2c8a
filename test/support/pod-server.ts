import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";

/** What listens where the API server believes a pod to be. */
export interface PodServer {
  readonly port: number;
  /** Requests as they came. */
  readonly seen: readonly IncomingMessage[];
  /** Requests whose answer has neither ended nor been given up by the asker. */
  unfinished(): Promise<number>;
  /** Answers by path, without its query; 404 for others. */
  answer(path: string, listener: RequestListener): void;
  stop(): Promise<void>;
}

/** An address of this machine that the API server takes for a pod's: it refuses loopback and link-local ones. */
export function addressOfThisMachine(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(
      ({ family, internal, address }) => family === "IPv4" && !internal && !address.startsWith("169.254."),
    )?.address;
}

export async function startPodServer(address: string): Promise<PodServer> {
  const answers = new Map<string, RequestListener>();
  const seen: IncomingMessage[] = [];
  let unfinished = 0;
  const server = createServer((request, response) => {
    seen.push(request);
    unfinished += 1;
    response.once("close", () => (unfinished -= 1));
    const listener = answers.get((request.url ?? "").split("?")[0] ?? "");
    if (listener !== undefined) listener(request, response);
    else response.writeHead(404).end("not found\n");
  });
  server.listen(0, address);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    unfinished: async () => unfinished,
    answer: (path, listener) => void answers.set(path, listener),
    async stop() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
