/** What was decided on an incident in the end: the strongest that was ever decided on it. */
export type Answer = "Rollback" | "Propose" | "Held" | "Notify" | "Quiet";

/**
 * The truth about an incident. It follows from how the incident is made: whether the live release is the cause, so that
 * going back would mend it, and whether the metrics can show that.
 */
export interface Label {
  /**
   * Needed: a release broke it, and going back mends it. False: going back mends nothing, or there is nothing to mend.
   * Harmless: going back mends it, but asking is as good; such an incident counts neither way.
   */
  readonly rollback: "Needed" | "False" | "Harmless";
  /** Answers that a good engineer could give; beside Rollback where it is needed there is none. */
  readonly acceptable: readonly Answer[];
}

export const NEEDED: Label = { rollback: "Needed", acceptable: ["Rollback"] };

/** Somebody is told, or asked: a breach that the release may or may not have to do with. */
export const TELL: Label = { rollback: "False", acceptable: ["Propose", "Held", "Notify"] };

/** The release began just before, and nothing but a person can tell: ask. */
export const ASK: Label = { rollback: "False", acceptable: ["Propose"] };

/** The breach has nothing to do with any release. */
export const REPORT: Label = { rollback: "False", acceptable: ["Held", "Notify"] };

/** Whether a row fires at all is a matter of chance or of its `for`. */
export const LEAVE: Label = { rollback: "False", acceptable: ["Propose", "Held", "Notify", "Quiet"] };

/** There is no breach that could be measured. */
export const SILENCE: Label = { rollback: "False", acceptable: ["Quiet"] };

export const EITHER: Label = { rollback: "Harmless", acceptable: ["Rollback", "Propose", "Held", "Notify"] };
