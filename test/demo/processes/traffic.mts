/**
 * Sends requests to a URL at a steady rate, each on a connection of its own so that the Service spreads them over the
 * pods, and writes one line a second of what came back: what the users of the sample application see.
 *
 *   node traffic.mts URL REQUESTS_PER_SECOND LOG        "-" as LOG: standard output
 */
import { appendFileSync, renameSync, statSync } from "node:fs";
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { TrafficSecond } from "../story/traffic-log.ts";

const TICK_MS = 10;
const TIMEOUT_MS = 2000;
/** A demo that is left alone for weeks must not fill the disk. */
const MAX_LOG_BYTES = 16 * 1024 * 1024;

const [url = "", rate = "20", log = ""] = process.argv.slice(2);
await firstAnswer();
const began = performance.now();
let sent = 0;
let second = emptySecond();

setInterval(sendDue, TICK_MS);
setInterval(writeSecond, 1000);

/** Pods may be ready before kube-proxy has made the Service's address lead to them. */
async function firstAnswer(): Promise<void> {
  for (;;) {
    try {
      if ((await fetch(url, { signal: AbortSignal.timeout(1000) })).ok) return;
    } catch {
      await sleep(50);
    }
  }
}

function sendDue(): void {
  const due = Math.floor(((performance.now() - began) / 1000) * Number(rate));
  for (; sent < due; sent++) send();
}

function send(): void {
  let over = false;
  const ended = (outcome: "ok" | "failed" | "lost"): void => {
    if (over) return;
    over = true;
    second[outcome] += 1;
    if (outcome !== "ok") second.badAt.push(Date.now());
  };
  const request = get(url, { agent: false, timeout: TIMEOUT_MS }, (response) => {
    const { "x-version": version, "x-backend": backend, "x-currency": currency } = response.headers;
    response.resume();
    response.once("end", () => {
      count(second.versions, version);
      count(second.backends, backend);
      count(second.currencies, currency);
      ended((response.statusCode ?? 0) < 500 ? "ok" : "failed");
    });
    response.once("error", () => ended("lost"));
  });
  request.once("timeout", () => request.destroy(new Error("no answer")));
  request.once("error", () => ended("lost"));
}

function count(answers: Record<string, number>, header: string | string[] | undefined): void {
  const value = String(header ?? "");
  answers[value] = (answers[value] ?? 0) + 1;
}

function writeSecond(): void {
  const line: TrafficSecond = { at: Date.now(), ...second };
  second = emptySecond();
  const text = `${JSON.stringify(line)}\n`;
  if (log === "-") {
    process.stdout.write(text);
    return;
  }
  appendFileSync(log, text);
  if (statSync(log).size > MAX_LOG_BYTES) renameSync(log, `${log}.1`);
}

function emptySecond() {
  const answers = (): Record<string, number> => ({});
  return {
    ok: 0,
    failed: 0,
    lost: 0,
    versions: answers(),
    backends: answers(),
    currencies: answers(),
    badAt: [] as number[],
  };
}
