import { Arena, withArena } from "../arena.js";
import { cString } from "../c-string.js";
import { errnoName, KernelError } from "../errno.js";
import { bpf } from "../libc.js";
import { BpfCommand } from "../numbers.js";

/** What BPF_PROG_LOAD takes; every number is the kernel's own. */
export interface ProgramLoad {
  /** One of `ProgramType`. */
  readonly type: number;
  /** Eight bytes each, as `Assembler` builds them. */
  readonly instructions: Uint8Array;
  /** At most 15 bytes of `[A-Za-z0-9_.]`; otherwise the kernel answers EINVAL. */
  readonly name?: string;
  /** Helpers for tracing want "GPL", which is what is said unless given. */
  readonly license?: string;
  /** One of `AttachType`. */
  readonly expectedAttachType?: number;
  /** `ProgramFlag`s. */
  readonly flags?: number;
  /** What to trace, in the kernel's BTF: a function or the typedef of a tracepoint. */
  readonly attachBtfId?: number;
  /** Fd of the module's BTF object where that id is in a module's BTF. */
  readonly attachBtfObjectFd?: number;
  /** Fd of the program's own BTF; may be closed after the load. */
  readonly btfFd?: number;
  /**
   * Where functions start, and their types (FUNC) in that BTF: all of them, instruction
   * 0 first. Only needed for a program with functions that helpers call back.
   */
  readonly functions?: readonly { readonly instruction: number; readonly typeId: number }[];
}

/** BPF_PROG_LOAD was refused: by the verifier, where there is a log. */
export class ProgramLoadError extends KernelError {
  /** What the verifier said, all of it; "" where it did not come so far. */
  readonly log: string;

  constructor(errno: string, log: string) {
    super(errno, "BPF_PROG_LOAD");
    const lines = log.trimEnd().split("\n");
    if (log) this.message = `${this.message}; the verifier's last words:\n${last(lines)}`;
    this.log = log;
  }
}

const ATTR_SIZE = 144;
const LICENSE = ATTR_SIZE;
const LICENSE_SIZE = 64;
const INSTRUCTIONS = LICENSE + LICENSE_SIZE;
const INSTRUCTION_SIZE = 8;
/** `struct bpf_func_info`. */
const FUNCTION_INFO_SIZE = 8;
const NAME = 48;
const NAME_SIZE = 16;
const LOG_LEVEL = 24;
const FIRST_LOG_SIZE = 1 << 16;
/** BPF_MAX_LOG: `UINT_MAX >> 2` (kernel/bpf/log.c); this much is enough for any reader. */
const LARGEST_LOG_SIZE = 1 << 26;
const MESSAGE_LINES = 5;
const ATTEMPTS = 5;

/**
 * BPF_PROG_LOAD: the fd (close-on-exec) of a program. Throws ProgramLoadError.
 *
 * No log is asked for at first, because writing one slows the verifier down; a program
 * that was refused is loaded again with a log that grows until it holds all.
 */
export function programLoad(load: ProgramLoad): number {
  const { instructions } = load;
  const functionInfo = FUNCTION_INFO_SIZE * (load.functions?.length ?? 0);
  return withArena(INSTRUCTIONS + instructions.length + functionInfo, (attr) => {
    fill(attr, load);
    let result = tryLoad(attr);
    let log = "";
    for (let size = FIRST_LOG_SIZE; result < 0 && size <= LARGEST_LOG_SIZE; size *= 4) {
      [result, log] = loadWithLog(attr, size);
      // ENOSPC: the log did not fit. The verifier's own errors leave it whole.
      if (errnoName(-result) !== "ENOSPC") break;
    }
    if (result >= 0) return result;
    throw new ProgramLoadError(errnoName(-result), log);
  });
}

function fill(attr: Arena, load: ProgramLoad): void {
  const { instructions } = load;
  const name = text("name", load.name ?? "", NAME_SIZE);
  const license = text("license", load.license ?? "GPL", LICENSE_SIZE);
  if (instructions.length % INSTRUCTION_SIZE !== 0) {
    throw new RangeError(`${instructions.length} bytes are no whole number of instructions`);
  }
  attr.bytes.set(instructions, INSTRUCTIONS);
  attr.bytes.set(license, LICENSE);
  attr.setU32(0, load.type);
  attr.setU32(4, instructions.length / INSTRUCTION_SIZE);
  attr.setU64(8, attr.at(INSTRUCTIONS));
  attr.setU64(16, attr.at(LICENSE));
  attr.setU32(44, load.flags ?? 0);
  attr.bytes.set(name, NAME);
  attr.setU32(68, load.expectedAttachType ?? 0);
  attr.setU32(72, load.btfFd ?? 0);
  fillFunctions(attr, load);
  attr.setU32(108, load.attachBtfId ?? 0);
  attr.setU32(112, load.attachBtfObjectFd ?? 0);
}

function fillFunctions(attr: Arena, { instructions, functions = [] }: ProgramLoad): void {
  if (functions.length === 0) return;
  const at = INSTRUCTIONS + instructions.length;
  attr.setU32(76, FUNCTION_INFO_SIZE);
  attr.setU64(80, attr.at(at));
  attr.setU32(88, functions.length);
  for (const [index, { instruction, typeId }] of functions.entries()) {
    attr.setU32(at + index * FUNCTION_INFO_SIZE, instruction);
    attr.setU32(at + index * FUNCTION_INFO_SIZE + 4, typeId);
  }
}

function loadWithLog(attr: Arena, size: number): [result: number, log: string] {
  const log = Arena.take(size);
  try {
    log.bytes[0] = 0;
    attr.setU32(LOG_LEVEL, 1);
    attr.setU32(LOG_LEVEL + 4, size);
    attr.setU64(LOG_LEVEL + 8, log.address);
    const result = tryLoad(attr);
    return [result, cString(log.bytes.subarray(0, size))];
  } finally {
    log.release();
  }
}

/** The verifier gives up with EAGAIN when a signal comes; libbpf tries as often. */
function tryLoad(attr: Arena): number {
  for (let attempt = 1; ; attempt++) {
    const result = bpf(BpfCommand.PROG_LOAD, attr.address, ATTR_SIZE);
    if (result >= 0 || attempt === ATTEMPTS || errnoName(-result) !== "EAGAIN") return result;
  }
}

function text(what: string, value: string, room: number): Buffer {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length >= room)
    throw new RangeError(`a program's ${what} has at most ${room - 1} bytes`);
  return bytes;
}

function last(lines: readonly string[]): string {
  return lines.slice(-MESSAGE_LINES).join("\n");
}
