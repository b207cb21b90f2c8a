import { writeFileSync } from "node:fs";
import { NAMESPACE } from "../demo-layout.ts";
import { type Chapter, factLine } from "./facts.ts";
import { type StoryStage, type, typed } from "./stage.ts";

/** The last screen: what happened, in seconds, and where to look now. */
export async function showClosing(stage: StoryStage, chapters: readonly Chapter[]): Promise<void> {
  const { screen, demo } = stage;
  for (const { title, facts, releasedAt, largestDifferenceMs } of chapters) {
    screen.heading(title);
    for (const fact of facts) screen.line(factLine(fact, releasedAt));
    const seconds = (largestDifferenceMs / 1000).toFixed(1);
    screen.line(
      `              seen by this demo's own watch and queries; status.timeline agrees within ${seconds} s`,
    );
  }
  screen.line();
  await type(stage, ["get", "rbp", "-n", NAMESPACE]);
  await type(stage, ["get", "rbr", "-n", NAMESPACE]);
  screen.heading("The cluster stays up. Look around:");
  for (const command of [
    typed(stage, ["get", "rbp,rbr", "-n", NAMESPACE]),
    typed(stage, ["describe", "rbr", chapters[0]?.request ?? "", "-n", NAMESPACE]),
    demo.down,
  ]) {
    screen.line(`  ${command}`);
  }
  writeFileSync(demo.sightingsFile, JSON.stringify(chapters, undefined, 2));
}
