import type { CommandContext } from "../command-context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { explainPolicy } from "../explain/explanation.ts";
import { readSnapshot } from "../explain/read-snapshot.ts";
import { explanationText } from "../explain/text.ts";
import { isForPrograms, printObject } from "../output/objects.ts";

/** Why a policy would or would not act right now. Reads only. */
export async function explain({ session, output, format }: CommandContext, name: string): Promise<ExitCode> {
  const explanation = explainPolicy(await readSnapshot(session, name));
  if (isForPrograms(format)) {
    await printObject(output, format, explanation, `rollbackpolicy.rollback.llm-research-lab.io/${name}`);
  } else output.lines(explanationText(explanation, output.colours));
  return EXIT.Ok;
}
