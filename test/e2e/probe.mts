/** Prints one line for each thing that a whole cluster with a demo in it needs and this machine lacks. */
import { probeHost } from "../cluster/host-probes.ts";
import { findProgram } from "../cluster/run-command.ts";

const { lacks } = await probeHost();
for (const line of lacks) console.log(line);
if (findProgram("prometheus") === undefined) {
  console.log("program prometheus is missing: apt-get install prometheus");
}
