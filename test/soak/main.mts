/**
 * `make soak`: what takes its full time, so not part of `make test`. Prints figures with their goals and ends with 1 when
 * one is missed: the lease's timings of production, ten minutes without API server, ten idle minutes, the heap's slope.
 * `--minutes=N` makes the long parts shorter, for a look at whether it works at all.
 */
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { figure, progress, slope } from "../../bench/figures.ts";
import { CONNECTION_LOST } from "../support/fault-proxy.ts";
import { page, startFireLab } from "../support/fire-lab.ts";
import { heapAfterGc, INSPECTABLE, residentMemory } from "../support/process-memory.ts";
import { openShop } from "../support/shop.ts";
import { idleCalls, summaryOf } from "../support/silence.ts";
import { until } from "../support/world.ts";

const MINUTE_MS = 60_000;
const HEAP_SAMPLES = 6;
/** Of the configuration's defaults: renewDeadline; leaseDuration with the retry after it and its jitter. */
const RENEW_DEADLINE_MS = 10_000;
const TAKE_OVER_MS = 15_000 + 2 * 2_000;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const longMs = Number(values.minutes) * MINUTE_MS;
if (!(longMs > 0)) throw new RangeError(`--minutes=${values.minutes} is not a length of time`);

let missed = 0;
function report(name: string, value: number, unit: string, goal?: number): void {
  if (goal !== undefined && !(value <= goal)) missed += 1;
  console.log(figure(name, value, unit, goal));
}

const lab = await startFireLab();
try {
  const shop = await openShop(lab.world, "soak");
  await shop.open();
  // Everything as in production: no configuration at all.
  const start = (awaitReady = true) => lab.start({ config: "", env: INSPECTABLE, awaitReady });
  const leads = (process: Awaited<ReturnType<typeof start>>) =>
    until(
      "the operator leads",
      () => page(process, "/metrics"),
      ({ text }) => /^leader_election_master_status 1$/m.test(text),
      MINUTE_MS,
    );
  let operator = await start();
  await leads(operator);

  progress("soak: the API server goes");
  lab.proxy.intercept(async () => CONNECTION_LOST);
  lab.proxy.interceptWatches(async () => Promise.reject(new Error("outage")));
  lab.proxy.hangUp();
  const goneAt = performance.now();
  await operator.ended;
  report("soak_leader_exits_after_loss", performance.now() - goneAt, "ms", RENEW_DEADLINE_MS + 1_000);
  // As the kubelet does.
  operator = await start(false);
  await shop.release("web:v2");
  await shop.ask("during-the-outage");
  progress(`soak: ${longMs / MINUTE_MS} minutes without API server`);
  await sleep(longMs);
  const dead = await page(operator, "/readyz");
  report("soak_outage_ready", dead.status === 503 ? 0 : 1, "(503 is 0)", 0);
  report("soak_outage_healthy", (await page(operator, "/healthz")).status === 200 ? 0 : 1, "(200 is 0)", 0);
  report("soak_outage_rss", residentMemory(operator.pid).now, "MiB", 96);
  lab.proxy.intercept(undefined);
  lab.proxy.interceptWatches(undefined);
  const backAt = performance.now();
  await leads(operator);
  report("soak_leads_after_outage", performance.now() - backAt, "ms", 30_000 + TAKE_OVER_MS);
  const ended = await shop.ended("during-the-outage", 2 * MINUTE_MS);
  report("soak_request_done_after_outage", performance.now() - backAt, "ms", 30_000 + TAKE_OVER_MS + 10_000);
  report("soak_request_of_the_outage_failed", ended.status?.phase === "Succeeded" ? 0 : 1, "requests", 0);
  report("soak_acts_on_the_target", (await shop.acts()).length, "patches", 1);

  progress("soak: a leader is killed");
  const standby = await start();
  const killedAt = performance.now();
  await operator.kill();
  await leads(standby);
  report("soak_take_over_after_kill", performance.now() - killedAt, "ms", TAKE_OVER_MS);

  progress(`soak: ${longMs / MINUTE_MS} idle minutes`);
  await sleep(15_000);
  const audited = (await stat(lab.world.controlPlane.auditLogPath)).size;
  const heap: { readonly hours: number; readonly mib: number }[] = [];
  for (let sample = 0; sample < HEAP_SAMPLES; sample += 1) {
    if (sample > 0) await sleep(longMs / (HEAP_SAMPLES - 1));
    heap.push({ hours: performance.now() / 3_600_000, mib: await heapAfterGc(standby) });
    progress(`soak: heap ${heap.at(-1)?.mib.toFixed(2)} MiB`);
  }
  const { writes, accessReviews } = await idleCalls(lab.world.controlPlane.auditLogPath, audited);
  for (const line of summaryOf(writes)) progress(`soak: ${line}`);
  report("soak_idle_writes_besides_the_lease", writes.length, "writes", 0);
  report("soak_idle_access_reviews", accessReviews.length, "questions");
  // The first look pays for the inspector itself.
  report("soak_heap_slope", slope(heap.slice(1)), "MiB/h", 1);
  report("soak_idle_rss", residentMemory(standby.pid).now, "MiB");
} finally {
  await lab.stop();
}
process.exitCode = missed === 0 ? 0 : 1;
