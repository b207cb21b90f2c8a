import type { OperatorConfig } from "./schema.ts";

/** The configuration in force. Whoever keeps a value of it keeps an old one: read it when it is needed. */
export class LiveConfig {
  #current: OperatorConfig;
  readonly #listeners = new Set<(config: OperatorConfig) => void>();

  constructor(initial: OperatorConfig) {
    this.#current = initial;
  }

  get current(): OperatorConfig {
    return this.#current;
  }

  replace(config: OperatorConfig): void {
    this.#current = config;
    for (const listener of this.#listeners) listener(config);
  }

  /** Calls back after each change; returns how to stop. */
  onChange(listener: (config: OperatorConfig) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
