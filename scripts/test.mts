/** All tests that this machine can run; the last line counts them. Called by `make test`. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";

interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    /** Of a suite that could not run at all. */
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Of what failed, the beginning: the whole stands in the suite's own report above. */
const SHOWN_LINES = 15;

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
const failures: string[] = [];
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
// At the end, where logs are not cut.
for (const failure of failures) console.log(failure);
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
  if (status === 0 || program === "jest") return;
  totals.failed += 1;
  failures.push(`FAILED ${name}`);
}

function count(path: string): void {
  let report: JestReport;
  try {
    report = JSON.parse(readFileSync(path, "utf8")) as JestReport;
  } catch {
    console.log(`test: ${path} was not written: the suite did not run`);
    totals.failed += 1;
    failures.push(`FAILED ${path}`);
    return;
  }
  totals.passed += report.numPassedTests;
  totals.failed += report.numFailedTests + report.numRuntimeErrorTestSuites;
  totals.skipped += report.numPendingTests;
  failures.push(...failuresOf(report));
  skipped.push(...skippedOf(report));
}

function skippedOf({ testResults }: JestReport): readonly string[] {
  return testResults.flatMap(({ name, assertionResults }) => {
    const pending = assertionResults.filter(({ status }) => status === "pending").length;
    if (pending === 0) return [];
    const all = pending === assertionResults.length ? "all " : "";
    return [`test: skipped ${all}${pending} of ${relative(".", name)}: why is said above`];
  });
}

function failuresOf({ testResults }: JestReport): readonly string[] {
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const file = relative(process.cwd(), name);
    if (assertionResults.length === 0 && message !== "") return [`FAILED ${file}\n${shortened(message)}`];
    return assertionResults
      .filter(({ status }) => status === "failed")
      .map(({ fullName, failureMessages }) => {
        return `FAILED ${file}: ${fullName}\n${shortened(failureMessages.join("\n"))}`;
      });
  });
}

function shortened(text: string): string {
  const lines = stripVTControlCharacters(text).split("\n").slice(0, SHOWN_LINES);
  return lines.map((line) => `  ${line}`).join("\n");
}
