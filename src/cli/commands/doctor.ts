import { errorMessage } from "../../kube/errors.ts";
import type { CommandContext } from "../command-context.ts";
import { explain } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { isForPrograms, printObject } from "../output/objects.ts";
import { table } from "../output/table.ts";
import { examine } from "../diagnosis.ts";
import type { Finding } from "../finding.ts";

/** Looks at all that a rollback needs, as far as this user can see it. */
export async function doctor({ session, output, format }: CommandContext): Promise<ExitCode> {
  const findings: Finding[] = [];
  try {
    findings.push(...(await examine(session)));
  } catch (error) {
    const message = session.signal.aborted ? errorMessage(error) : explain(error, session.server);
    findings.push({ check: "API server", state: "Failed", message });
  }
  if (isForPrograms(format)) await printObject(output, format, findings, "doctor");
  else {
    const { good, bad, doubtful } = output.colours;
    const paint = { Ok: good, Warning: doubtful, Failed: bad };
    const rows = findings.map(({ check, state, message }) => [check, paint[state](state), message]);
    output.lines(table(["check", "state", "message"], rows));
  }
  return findings.some(({ state }) => state === "Failed") ? EXIT.Failed : EXIT.Ok;
}
