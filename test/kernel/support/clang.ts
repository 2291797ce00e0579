import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SECTION_HEADERS = 0x28;
const SECTION_COUNT = 0x3c;
const SECTION_NAMES = 0x3e;
const SECTION_HEADER_SIZE = 64;

/** The instructions that clang's assembler makes of BPF assembly. */
export function assembledByClang(source: string): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-clang-"));
  try {
    const object = join(directory, "program.o");
    writeFileSync(join(directory, "program.s"), source);
    const options = ["-target", "bpf", "-mcpu=v3", "-c"];
    execFileSync("clang", [...options, join(directory, "program.s"), "-o", object]);
    return section(readFileSync(object), ".text");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** One section of an ELF file of 64 bits. */
function section(elf: Buffer, wanted: string): Buffer {
  const headers = Number(elf.readBigUInt64LE(SECTION_HEADERS));
  const header = (index: number) => elf.subarray(headers + index * SECTION_HEADER_SIZE);
  const contents = (at: Buffer) => {
    const start = Number(at.readBigUInt64LE(24));
    return elf.subarray(start, start + Number(at.readBigUInt64LE(32)));
  };
  const names = contents(header(elf.readUInt16LE(SECTION_NAMES)));
  for (let index = 0; index < elf.readUInt16LE(SECTION_COUNT); index++) {
    const name = header(index).readUInt32LE(0);
    if (names.toString("latin1", name, names.indexOf(0, name)) !== wanted) continue;
    return contents(header(index));
  }
  throw new Error(`no section ${wanted}`);
}
