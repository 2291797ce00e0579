import {
  Assembler,
  FP,
  R0,
  R1,
  R2,
  R3,
  R6,
  R7,
  R8,
  R9,
  type Register,
} from "../../kernel/index.js";
import type { KernelLayout } from "./kernel-layout.js";
import { beginRecord, copyToRecord, endRecord, OUT, type TraceMaps } from "./record-program.js";
import { RecordKind, RecordLayout, WriterCode } from "./trace-record.js";
import { TraceRefused } from "./trace-refused.js";

const BPF_SYSCALL = 321;

/** Commands of bpf(2) that write one element, and those that write any number. */
const SINGLE = [2, 3, 21];
const BATCH = [25, 26, 27];

/** Where `union bpf_attr` has the map's fd for single elements and for batches. */
const SINGLE_FD = 0;
const SINGLE_KEY = 8;
const BATCH_FD = 36;

/** Places on the stack: a word that is read through a pointer, and what waits for the record. */
const WORD = -8;
const KIND = -16;
const KEY_POINTER = -24;

/**
 * A program for the raw tracepoint sys_exit: if bpf(2) has written this map, it sends a
 * record with the key. It says that something happened to a key, not what: the daemon
 * looks. It runs at the end of every system call of the host, so it leaves early.
 */
export function syscallProgram(
  mapId: number,
  records: RecordLayout,
  maps: TraceMaps,
  kernel: KernelLayout,
): Uint8Array {
  if (process.arch !== "x64") {
    throw new TraceRefused(`system calls are not traced on ${process.arch}`);
  }
  const program = new Assembler();
  // The context: struct pt_regs *, and what the call returned.
  program
    .load("u64", R6, R1, 0)
    .load("u64", R8, R1, 8)
    .part((part) => readKernel(part, R6, kernel.offset("pt_regs", "orig_ax"), R1))
    .jumpIf(R1, "!=", BPF_SYSCALL, OUT)
    .part((part) => readKernel(part, R6, kernel.offset("pt_regs", "di"), R9))
    .part((part) => readKernel(part, R6, kernel.offset("pt_regs", "si"), R6));
  for (const command of SINGLE) program.jumpIf32(R9, "==", command, "single");
  for (const command of BATCH) program.jumpIf32(R9, "==", command, "batch");
  program
    .jump(OUT)
    .label("single")
    .jumpIf(R8, "s<", 0, OUT)
    .part((part) => readUser(part, R6, SINGLE_FD, R7))
    .part((part) => readUser(part, R6, SINGLE_KEY, R1))
    .store("u64", FP, KEY_POINTER, R1)
    .store("u64", FP, KIND, RecordKind.PUT)
    .jump("written")
    .label("batch")
    // One that failed may have written elements before.
    .part((part) => readUser(part, R6, BATCH_FD, R7))
    .store("u64", FP, KEY_POINTER, 0)
    .store("u64", FP, KIND, RecordKind.MANY)
    .label("written")
    .part((part) => leaveUnlessOurs(part, mapId, kernel));
  beginRecord(program, maps, records.size, "PUT");
  program
    .store("u8", R8, RecordLayout.WRITER, WriterCode.SYSCALL)
    .load("u64", R1, FP, KIND)
    .store("u8", R8, RecordLayout.KIND, R1)
    .jumpIf(R1, "==", RecordKind.MANY, "send")
    .load("u64", R9, FP, KEY_POINTER);
  copyToRecord(program, R9, "user", RecordLayout.KEY, records.keySize);
  program.label("send");
  endRecord(program);
  return program.build();
}

/** Goes from the fd in R7 over the process's open files to the map, and compares its id. */
function leaveUnlessOurs(program: Assembler, mapId: number, kernel: KernelLayout): void {
  program
    .alu32("mov", R7, R7)
    .call("get_current_task")
    .mov(R9, R0)
    .part((part) => readKernel(part, R9, kernel.offset("task_struct", "files"), R9))
    .part((part) => readKernel(part, R9, kernel.offset("files_struct", "fdt"), R9))
    .part((part) => readKernel(part, R9, kernel.offset("fdtable", "fd"), R9))
    .lsh(R7, 3)
    .add(R9, R7)
    .part((part) => readKernel(part, R9, 0, R9))
    .part((part) => readKernel(part, R9, kernel.offset("file", "private_data"), R9))
    .part((part) => readKernel(part, R9, kernel.offset("bpf_map", "id"), R1))
    .jumpIf32(R1, "!=", mapId, OUT);
}

/** Reads the u64 at `base + offset` of the kernel's memory; 0 where it cannot be read. */
function readKernel(program: Assembler, base: Register, offset: number, to: Register): void {
  read(program, "probe_read_kernel", base, offset, to);
}

/** Reads the u64 at `base + offset` of the process's memory. */
function readUser(program: Assembler, base: Register, offset: number, to: Register): void {
  read(program, "probe_read_user", base, offset, to);
}

function read(
  program: Assembler,
  helper: string,
  base: Register,
  offset: number,
  to: Register,
): void {
  program
    .mov(R3, base)
    .add(R3, offset)
    .mov(R1, FP)
    .add(R1, WORD)
    .mov(R2, 8)
    .call(helper)
    .load("u64", to, FP, WORD);
}
