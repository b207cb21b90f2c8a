/** Where long work says how far it is. `step` may be called often; `done` ends a line for good. */
export interface Progress {
  step(text: string): void;
  done(text: string): void;
}

/** On a terminal the line is rewritten in place; in a log one line every five seconds at most. */
export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  let lastWritten = 0;
  return {
    step(text) {
      if (stream.isTTY) {
        stream.write(`\r\u001B[2K${text.slice(0, Math.max(20, stream.columns - 1))}`);
        return;
      }
      const now = performance.now();
      if (lastWritten !== 0 && now - lastWritten < 5000) return;
      lastWritten = now;
      stream.write(`${text}\n`);
    },
    done(text) {
      lastWritten = 0;
      stream.write(stream.isTTY ? `\r\u001B[2K${text}\n` : `${text}\n`);
    },
  };
}
