const newline = 0x0a;

/** Raised for a line that grows over the limit. */
export class LineTooLongError extends Error {
  constructor(maxBytes: number) {
    super(`a line is longer than ${maxBytes} bytes`);
    this.name = "LineTooLongError";
  }
}

/**
 * Cuts a stream of bytes into lines. Works on bytes and decodes whole lines, so a character that is cut in half by a
 * chunk boundary comes out whole. A last line without newline is never returned: a watch that ends there was torn.
 */
export interface LineSplitter {
  /** The lines that this chunk completes, without newlines. Throws LineTooLongError, TypeError for bad UTF-8. */
  push(chunk: Uint8Array): string[];
}

/** A splitter for one stream. */
export function createLineSplitter(maxLineBytes: number = 32 * 1024 * 1024): LineSplitter {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;

  function keep(part: Uint8Array): void {
    pendingBytes += part.byteLength;
    if (pendingBytes > maxLineBytes) throw new LineTooLongError(maxLineBytes);
    // Copied, the reader may use its buffer again. Not by slice: that of a Buffer shares the memory.
    if (part.byteLength > 0) pending.push(new Uint8Array(part));
  }

  function takeLine(): string {
    const line = pending.length === 1 && pending[0] ? pending[0] : Buffer.concat(pending, pendingBytes);
    pending = [];
    pendingBytes = 0;
    return decoder.decode(line);
  }

  return {
    push(chunk) {
      const lines: string[] = [];
      let start = 0;
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
        keep(chunk.subarray(start, end));
        lines.push(takeLine());
        start = end + 1;
      }
      keep(chunk.subarray(start));
      return lines;
    },
  };
}
