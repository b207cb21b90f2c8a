/** All tests that this machine can run; the last line counts them. Called by `make test`. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";

interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    /** Path of the file. */
    readonly name: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/**
 * In order of their cost, so that a broken build shows in the first minute. Integration tests mostly wait for
 * controllers, so two files run at a time, each with an API server of its own; where timing is the subject, one.
 */
const SUITES = {
  unit: [],
  conformance: ["--runInBand"],
  integration: ["--maxWorkers=2"],
  crash: ["--runInBand"],
  e2e: ["--runInBand"],
} as const;

const reports = "build/test-reports";
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });

const wanted = process.argv.slice(2);
const totals = { passed: 0, failed: 0, skipped: 0 };
/** One line for each file of which something was skipped. */
const skipped: string[] = [];

step("format, types, lint, layers", ["scripts/check.sh", "--static"]);
for (const [suite, workers] of Object.entries(SUITES)) {
  if (wanted.length > 0 && !wanted.includes(suite)) continue;
  const output = join(reports, `${suite}.json`);
  step(`${suite} tests`, ["jest", "--selectProjects", suite, "--json", "--outputFile", output, ...workers]);
  count(output);
}

for (const line of skipped) console.log(line);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed === 0 ? 0 : 1;

function step(name: string, command: readonly string[]): void {
  const began = performance.now();
  console.log(`test: ${name} ...`);
  const [program = "", ...args] = command;
  // Jest prints its report for people on standard error; the JSON goes to the file.
  const { status } = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(`test: ${name} ${status === 0 ? "passed" : "FAILED"} in ${seconds} s`);
  if (status !== 0 && program !== "jest") totals.failed += 1;
}

function count(path: string): void {
  let report: JestReport;
  try {
    report = JSON.parse(readFileSync(path, "utf8")) as JestReport;
  } catch {
    console.log(`test: ${path} was not written: the suite did not run`);
    totals.failed += 1;
    return;
  }
  totals.passed += report.numPassedTests;
  totals.failed += report.numFailedTests + report.numRuntimeErrorTestSuites;
  totals.skipped += report.numPendingTests;
  for (const { name, assertionResults } of report.testResults) {
    const pending = assertionResults.filter(({ status }) => status === "pending").length;
    if (pending === 0) continue;
    const all = pending === assertionResults.length ? "all " : "";
    skipped.push(`test: skipped ${all}${pending} of ${relative(".", name)}: why is said above`);
  }
}
