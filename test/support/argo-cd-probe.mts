/** Prints one line for each thing that Argo CD needs and this machine lacks. With an argument: for its program only. */
import { ARGO_CD, findBinary } from "../cluster/binaries.ts";
import { findProgram } from "../cluster/run-command.ts";
import { lackOfGitDaemon } from "./git-server.ts";

const wholeLab = process.argv[2] !== "program";
const lacks = [
  (await findBinary(ARGO_CD)) === undefined
    ? "argocd is neither installed nor built: node test/cluster/main.mts build argocd (some minutes, once)"
    : undefined,
  wholeLab && findProgram("redis-server") === undefined
    ? "redis-server is missing: apt-get install redis-server"
    : undefined,
  wholeLab ? await lackOfGitDaemon() : undefined,
];
for (const line of lacks) if (line !== undefined) console.log(`  - ${line}`);
