import { Command, InvalidArgumentError, Option } from "commander";
import { runOperator } from "./operator.ts";

interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const program = new Command("rollback-operator").description(
  "Rolls back what a bad release broke, in order, and proves that it helped.",
);

program
  .command("controller")
  .description("Watch RollbackPolicies and RollbackRequests and act on them.")
  .option("--kubeconfig <file>", "kubeconfig file; without it the pod's own ServiceAccount is used")
  .option("--config <file>", "configuration file of the operator; without it the defaults")
  .addOption(
    new Option("--listen <host:port>", "address of /healthz, /readyz and /metrics")
      .argParser(parseListen)
      .default({ host: "0.0.0.0", port: 8080 }, "0.0.0.0:8080"),
  )
  .action(async (options: { kubeconfig?: string; config?: string; listen: ListenAddress }) => {
    process.exitCode = await runOperator(options);
  });

program.parseAsync().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`rollback-operator: ${message}\n`);
  process.exit(1);
});

function parseListen(text: string): ListenAddress {
  const match = /^(?<host>.+):(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.["port"]);
  if (match?.groups?.["host"] === undefined || port > 65_535) {
    throw new InvalidArgumentError("must be HOST:PORT, such as 127.0.0.1:8080");
  }
  return { host: match.groups["host"].replace(/^\[(.*)\]$/, "$1"), port };
}
