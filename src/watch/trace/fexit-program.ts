import { Assembler, FP, R0, R1, R2, R3, R6, R7, R8, R9 } from "../../kernel/index.js";
import type { KernelLayout } from "./kernel-layout.js";
import { beginRecord, copyToRecord, endRecord, OUT, type TraceMaps } from "./record-program.js";
import type { TraceHook } from "./trace-hook.js";
import { RecordLayout, WriterCode } from "./trace-record.js";

/** Commands of bpf(2) that write elements. */
const WRITING_COMMANDS = [2, 3, 21, 25, 26, 27];

/** Where a system call's number and first argument lie in `struct pt_regs`. */
const REGISTERS = {
  x64: { number: "orig_ax", argument: "di", bpf: 321 },
  arm64: { number: "syscallno", argument: "orig_x0", bpf: 280 },
} as const;

/**
 * A program for the return of a hook: if the call was on this map and did something, it
 * sends a record of it.
 */
export function fexitProgram(
  hook: TraceHook,
  mapId: number,
  records: RecordLayout,
  maps: TraceMaps,
  kernel: KernelLayout,
): Uint8Array {
  const program = new Assembler();
  // Arguments, and then the result, are u64s of the context.
  program
    .mov(R6, R1)
    .load("u64", R7, R6, 0)
    .part((part) => leaveUnlessOurs(part, hook, mapId, kernel))
    .part((part) => leaveUnlessDone(part, hook));
  const kind = hook.tells === "put" ? "PUT" : hook.tells === "take-batch" ? "MANY" : "DELETE";
  beginRecord(program, maps, records.size, kind);
  if (hook.tells !== "take-batch") copyKey(program, hook, records, kernel);
  if (hook.hasValue && records.valueSize > 0) {
    program.load("u64", R9, R6, 16);
    copyToRecord(program, R9, "kernel", records.value, records.valueSize);
    program.store("u8", R8, RecordLayout.HAS_VALUE, 1);
  }
  tellWriter(program, kernel);
  endRecord(program);
  return program.build();
}

function leaveUnlessOurs(
  program: Assembler,
  hook: TraceHook,
  mapId: number,
  kernel: KernelLayout,
): void {
  const id = kernel.offset("bpf_map", "id");
  if (hook.tells === "evict") {
    // The argument is a void pointer to struct bpf_htab, which begins with the map.
    program
      .mov(R1, 0)
      .store("u64", FP, -8, R1)
      .mov(R1, FP)
      .add(R1, -8)
      .mov(R2, 4)
      .mov(R3, R7)
      .add(R3, kernel.offset("bpf_htab", "map") + id)
      .call("probe_read_kernel")
      .load("u32", R1, FP, -8);
  } else {
    program.load("u32", R1, R7, id);
  }
  program.jumpIf32(R1, "!=", mapId, OUT);
}

function leaveUnlessDone(program: Assembler, hook: TraceHook): void {
  program.load("u64", R1, R6, 8 * hook.argumentCount);
  if (hook.tells === "evict") {
    program.and(R1, 0xff).jumpIf(R1, "==", 0, OUT);
  } else if (hook.tells === "take-batch") {
    // It reads too; a batch that failed may have taken elements before.
    program.load("u64", R1, R6, 24).and(R1, 0xff).jumpIf(R1, "==", 0, OUT);
  } else {
    program.jumpIf32(R1, "s<", 0, OUT);
  }
}

function copyKey(
  program: Assembler,
  hook: TraceHook,
  records: RecordLayout,
  kernel: KernelLayout,
): void {
  program.load("u64", R9, R6, 8);
  if (hook.tells === "evict") {
    const node = kernel.offset("htab_elem", "lru_node");
    program.add(R9, kernel.offset("htab_elem", "key") - node);
  }
  copyToRecord(program, R9, "kernel", RecordLayout.KEY, records.keySize);
}

/** Tells a write of the process's own bpf(2) call from one by a program. */
function tellWriter(program: Assembler, kernel: KernelLayout): void {
  const registers = REGISTERS[process.arch as keyof typeof REGISTERS];
  program
    .store("u8", R8, RecordLayout.WRITER, WriterCode.PROGRAM)
    .call("get_current_task_btf")
    .mov(R1, R0)
    .call("task_pt_regs")
    .mov(R9, R0)
    .load("u32", R1, R9, kernel.offset("pt_regs", registers.number))
    .jumpIf32(R1, "!=", registers.bpf, "told")
    .load("u32", R1, R9, kernel.offset("pt_regs", registers.argument));
  for (const command of WRITING_COMMANDS) program.jumpIf32(R1, "==", command, "syscall");
  program
    .jump("told")
    .label("syscall")
    .store("u8", R8, RecordLayout.WRITER, WriterCode.SYSCALL)
    .label("told");
}
