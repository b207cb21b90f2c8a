import { createReadStream, readdirSync, readlinkSync, statSync, lstatSync } from "node:fs";
import { posix } from "node:path";

/** What a tar archive holds. Paths are relative, with "/" between folders. */
export type TarEntry =
  | {
      readonly path: string;
      readonly mode: number;
      readonly type: "file";
      readonly content: Buffer | { readonly file: string };
    }
  | { readonly path: string; readonly mode: number; readonly type: "folder" }
  | { readonly path: string; readonly mode: number; readonly type: "link"; readonly target: string };

const BLOCK = 512;

/**
 * A ustar archive (POSIX.1-1988) of the entries, sorted, owned by root, at time 0: equal contents give equal bytes,
 * and so equal digests. Missing parent folders are added.
 */
export async function* tar(entries: readonly TarEntry[]): AsyncGenerator<Buffer> {
  for (const entry of withFolders(entries)) {
    const size = sizeOf(entry);
    yield header(entry, size);
    if (entry.type !== "file") continue;
    if (Buffer.isBuffer(entry.content)) yield entry.content;
    else yield* createReadStream(entry.content.file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>;
    yield Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
  }
  yield Buffer.alloc(2 * BLOCK);
}

/** Entries for a file or a whole folder of this machine, placed at `path`. */
export function entriesOf(source: string, path: string, mode?: number): readonly TarEntry[] {
  const stats = lstatSync(source);
  if (stats.isSymbolicLink()) return [{ path, mode: 0o777, type: "link", target: readlinkSync(source) }];
  if (stats.isFile())
    return [{ path, mode: mode ?? stats.mode & 0o777, type: "file", content: { file: source } }];
  if (!stats.isDirectory()) throw new Error(`${source} is neither file, folder nor symbolic link`);
  const inside = readdirSync(source).flatMap((name) =>
    entriesOf(`${source}/${name}`, `${path}/${name}`, mode),
  );
  return [{ path, mode: stats.mode & 0o777, type: "folder" }, ...inside];
}

function withFolders(entries: readonly TarEntry[]): readonly TarEntry[] {
  const byPath = new Map<string, TarEntry>();
  for (const entry of entries) {
    const path = entry.path.replace(/^\/+|\/+$/g, "");
    for (let parent = posix.dirname(path); parent !== "."; parent = posix.dirname(parent)) {
      if (!byPath.has(parent)) byPath.set(parent, { path: parent, mode: 0o755, type: "folder" });
    }
    byPath.set(path, { ...entry, path });
  }
  return [...byPath.keys()].sort().flatMap((path) => byPath.get(path) ?? []);
}

function sizeOf(entry: TarEntry): number {
  if (entry.type !== "file") return 0;
  return Buffer.isBuffer(entry.content) ? entry.content.length : statSync(entry.content.file).size;
}

const TYPE_FLAGS = { file: "0", link: "2", folder: "5" } as const;

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const { name, prefix } = splitPath(entry.type === "folder" ? `${entry.path}/` : entry.path);
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");
  block.write(name, 0);
  block.write(octal(entry.mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write(TYPE_FLAGS[entry.type], 156);
  if (entry.type === "link") block.write(entry.target, 157);
  block.write("ustar\u000000", 257);
  block.write(prefix, 345);
  // The sum counts its own field as spaces.
  block.write(" ".repeat(8), 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

/** A path over 100 bytes is split at a slash into at most 155 + 100. */
function splitPath(path: string): { readonly name: string; readonly prefix: string } {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: "" };
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (name !== "" && Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155)
      return { name, prefix };
  }
  throw new Error(`path too long for an image layer: ${path}`);
}
