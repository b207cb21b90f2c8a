import { writeImage } from "./image.ts";

/** The image of the process that holds a pod's namespaces; it is never pulled, so the name is ours. */
export const PAUSE_IMAGE = "localhost/rollback-operator-pause:1";

/** Code that sleeps for ever, position independent: no compiler is needed for three instructions. */
const MACHINE_CODE: Readonly<
  Record<string, { readonly elfMachine: number; readonly code: readonly number[] }>
> = {
  // mov eax, 34 (pause); syscall; jmp back
  x64: { elfMachine: 62, code: [0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7] },
  // mov x0..x4, #0; mov x8, #73 (ppoll without files or time limit); svc #0; b back
  arm64: {
    elfMachine: 183,
    code: [
      0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003, 0xd2800004, 0xd2800928, 0xd4000001, 0x17fffff9,
    ].flatMap((word) => [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24]),
  },
};

export async function writePauseImage(output: string): Promise<void> {
  const pause = { path: "pause", mode: 0o755, type: "file", content: pauseProgram(process.arch) } as const;
  await writeImage({ name: PAUSE_IMAGE, layers: [[pause]], entrypoint: ["/pause"] }, output);
}

/** A static ELF program: file header, one loadable segment, the code. */
function pauseProgram(arch: string): Buffer {
  const machine = MACHINE_CODE[arch];
  if (machine === undefined) throw new Error(`no pause program for processor architecture ${arch}`);
  const [fileHeader, programHeader, loadAddress] = [64, 56, 0x400000n];
  const size = fileHeader + programHeader + machine.code.length;
  const elf = Buffer.alloc(size);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // magic, 64 bits, little endian, version 1
  elf.writeUInt16LE(2, 16); // executable
  elf.writeUInt16LE(machine.elfMachine, 18);
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(loadAddress + BigInt(fileHeader + programHeader), 24); // entry
  elf.writeBigUInt64LE(BigInt(fileHeader), 32); // where the program headers are
  elf.writeUInt16LE(fileHeader, 52);
  elf.writeUInt16LE(programHeader, 54);
  elf.writeUInt16LE(1, 56); // one program header
  elf.writeUInt32LE(1, 64); // PT_LOAD
  elf.writeUInt32LE(5, 68); // readable, executable
  elf.writeBigUInt64LE(loadAddress, 80); // virtual address
  elf.writeBigUInt64LE(loadAddress, 88);
  elf.writeBigUInt64LE(BigInt(size), 96); // size in the file
  elf.writeBigUInt64LE(BigInt(size), 104); // size in memory
  elf.writeBigUInt64LE(0x1000n, 112); // alignment
  elf.set(machine.code, fileHeader + programHeader);
  return elf;
}
