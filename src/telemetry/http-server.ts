import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Empty when all is well; otherwise one sentence for each thing that is not. */
export type Probe = () => readonly string[];

export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  /** Must not depend on the API server: a restart would not mend that. */
  readonly healthy: Probe;
  readonly ready: Probe;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

export interface RunningHttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves /healthz, /readyz and /metrics. Rejects when the address cannot be had. */
export async function startHttpServer(options: HttpServerOptions): Promise<RunningHttpServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?")[0];
    switch (path) {
      case "/healthz":
        return answer(response, options.healthy());
      case "/readyz":
        return answer(response, options.ready());
      case "/metrics":
        return void options.metrics().then(
          ({ contentType, text }) => response.writeHead(200, { "content-type": contentType }).end(text),
          () => response.writeHead(500).end("metrics failed\n"),
        );
      default:
        return void response.writeHead(404).end("not found; there are /healthz, /readyz and /metrics\n");
    }
  });
  await listen(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, problems: readonly string[]): void {
  response
    .writeHead(problems.length === 0 ? 200 : 503, { "content-type": "text/plain; charset=utf-8" })
    .end(problems.length === 0 ? "ok\n" : `${problems.join("\n")}\n`);
}

function listen(server: Server, { host, port }: HttpServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
