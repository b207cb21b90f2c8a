import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as it arrived. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  /** Names and values in turn, repeats kept. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** One scripted answer. */
export type Answer = (response: ServerResponse, request: SeenRequest) => void | Promise<void>;

export interface ScriptedServer {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /** Queues answers for the next requests; without any left, the server says 418. */
  script(...answers: readonly Answer[]): void;
  /** Closes it with all its connections. */
  close(): Promise<void>;
}

/** A local HTTP server that answers by script. */
export async function startScriptedServer(): Promise<ScriptedServer> {
  const requests: SeenRequest[] = [];
  const answers: Answer[] = [];
  const server: Server = createServer((incoming, response) => {
    void (async () => {
      const url = new URL(incoming.url ?? "/", "http://server");
      let body = "";
      for await (const chunk of incoming) body += String(chunk);
      const { headers, rawHeaders, method = "" } = incoming;
      const seen = { method, path: url.pathname, query: url.searchParams, headers, rawHeaders, body };
      requests.push(seen);
      const answer = answers.shift() ?? json(418, { kind: "Status", message: "no answer was scripted" });
      await answer(response, seen);
    })().catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    script: (...more) => void answers.push(...more),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers with JSON. */
export function json(code: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return (response) => {
    response.writeHead(code, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
}

/** Answers with a Status, as an API server refuses. */
export function status(
  code: number,
  reason: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return json(code, { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message }, headers);
}

/** Answers that an object is not there; its name in the details is what tells it from an API that is not served. */
export function notFound(kind: string, name: string): Answer {
  const message = `${kind} "${name}" not found`;
  return json(404, { kind: "Status", code: 404, reason: "NotFound", message, details: { kind, name } });
}

/** Cuts the connection: before any byte of an answer, or in the middle of its body. */
export function reset(when: "before headers" | "after headers"): Answer {
  return (response) => {
    if (when === "after headers") {
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write('{"kind":');
      setImmediate(() => response.socket?.resetAndDestroy());
    } else {
      response.socket?.resetAndDestroy();
    }
  };
}

/** Never answers. */
export function silence(): Answer {
  return () => {};
}

/** A watch stream under the test's control. */
export interface OpenStream {
  readonly answer: Answer;
  /** Resolves once the request is there. */
  readonly opened: Promise<SeenRequest>;
  /** Writes one line. */
  send(line: unknown): void;
  end(): void;
  cut(): void;
}

/** A 200 answer that stays open; objects are written as JSON lines, strings as they are. */
export function openStream(): OpenStream {
  const { promise: opened, resolve } = Promise.withResolvers<SeenRequest>();
  let response: ServerResponse | undefined;
  return {
    opened,
    answer(made, request) {
      response = made;
      made.writeHead(200, { "content-type": "application/json" });
      made.flushHeaders();
      resolve(request);
    },
    send(line) {
      response?.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`);
    },
    end: () => void response?.end(),
    cut: () => void response?.socket?.resetAndDestroy(),
  };
}
