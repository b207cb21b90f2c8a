import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * Answers the two query endpoints from a script: every target has traffic, and fails from the moment it is told to.
 * A fake is enough where only crash points matter: when the operator dies does not depend on who computed the rate.
 * What real servers answer is tested with a real one.
 */
export interface ScriptedPrometheus {
  readonly url: string;
  /** From now on half of the requests in this namespace fail, in instant and in range queries. */
  failFromNow(namespace: string): void;
  close(): Promise<void>;
}

const REQUESTS_PER_SECOND = 50;

export async function startScriptedPrometheus(): Promise<ScriptedPrometheus> {
  const failingSince = new Map<string, number>();

  function valueOf(query: string, namespace: string, atMs: number): string {
    const isFailing = atMs >= (failingSince.get(namespace) ?? Infinity);
    if (!query.includes("5..")) return String(REQUESTS_PER_SECOND);
    return String(isFailing ? REQUESTS_PER_SECOND / 2 : 0);
  }

  function answerTo(path: string | undefined, form: URLSearchParams): object {
    const query = form.get("query") ?? "";
    const targets = targetsOf(query);
    if (path === "/api/v1/query_range") {
      const result = targets.map((metric) => ({
        metric,
        values: stepsOf(form).map((at) => [at / 1_000, valueOf(query, metric["namespace"] ?? "", at)]),
      }));
      return { resultType: "matrix", result };
    }
    const at = msOf(form, "time");
    const result = targets.map((metric) => ({
      metric,
      value: [at / 1_000, valueOf(query, metric["namespace"] ?? "", at)],
    }));
    return { resultType: "vector", result };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const data = answerTo(request.url, await readForm(request));
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ status: "success", data }));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    failFromNow: (namespace) => failingSince.set(namespace, Date.now()),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Every combination of the values that the query names for the labels which it groups by. */
function targetsOf(query: string): readonly Readonly<Record<string, string>>[] {
  const labels = (/by \(([^)]*)\)/.exec(query)?.[1] ?? "").split(", ").filter((label) => label !== "");
  return labels.reduce<readonly Readonly<Record<string, string>>[]>(
    (targets, label) => {
      const values = new RegExp(`\\b${label}=~?"([^"]*)"`).exec(query)?.[1]?.split("|") ?? [];
      return targets.flatMap((target) => values.map((value) => ({ ...target, [label]: value })));
    },
    [{}],
  );
}

function stepsOf(form: URLSearchParams): readonly number[] {
  const [start, end, step] = [msOf(form, "start"), msOf(form, "end"), msOf(form, "step")];
  return Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, index) => start + index * step);
}

/** Times and lengths arrive as seconds with three decimals. */
function msOf(form: URLSearchParams, name: string): number {
  return Math.round(Number(form.get(name)) * 1_000);
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
}
