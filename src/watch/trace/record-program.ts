import { type Assembler, R0, R1, R2, R3, R8, type Register } from "../../kernel/index.js";
import { RecordKind, RecordLayout } from "./trace-record.js";

/** The maps that a tracing program writes to, by fd. */
export interface TraceMaps {
  readonly ringFd: number;
  /** An array with one u64: calls that the ring had no room for. */
  readonly lostFd: number;
}

/** Where a program jumps to when it has nothing to tell. */
export const OUT = "out";

/**
 * Reserves a record, whose address is then in R8, and writes who and when; counts the
 * call as lost, and leaves, where the ring is full.
 */
export function beginRecord(
  program: Assembler,
  { ringFd, lostFd }: TraceMaps,
  size: number,
  kind: keyof typeof RecordKind,
): void {
  program
    .loadMap(R1, ringFd)
    .mov(R2, size)
    .mov(R3, 0)
    .call("ringbuf_reserve")
    .jumpIf(R0, "!=", 0, "reserved")
    .loadMapValue(R1, lostFd)
    .mov(R2, 1)
    .atomic("add", "u64", R1, 0, R2)
    .jump(OUT)
    .label("reserved")
    .mov(R8, R0)
    .call("ktime_get_ns")
    .store("u64", R8, RecordLayout.TIME, R0)
    .loadMapValue(R1, lostFd)
    .load("u64", R0, R1, 0)
    .store("u64", R8, RecordLayout.LOST, R0)
    .call("get_current_pid_tgid")
    .rsh(R0, 32)
    .store("u32", R8, RecordLayout.PID, R0)
    .store("u32", R8, RecordLayout.KIND, 0)
    .store("u8", R8, RecordLayout.KIND, RecordKind[kind])
    .mov(R1, R8)
    .add(R1, RecordLayout.COMM)
    .mov(R2, RecordLayout.COMM_SIZE)
    .call("get_current_comm");
}

/** Copies memory, of the kernel or of the process, to a place of the record in R8. */
export function copyToRecord(
  program: Assembler,
  from: Register,
  space: "kernel" | "user",
  at: number,
  size: number,
): void {
  program
    .mov(R3, from)
    .mov(R1, R8)
    .add(R1, at)
    .mov(R2, size)
    .call(space === "kernel" ? "probe_read_kernel" : "probe_read_user");
}

/** Sends the record in R8, and ends the program. */
export function endRecord(program: Assembler): void {
  program.mov(R1, R8).mov(R2, 0).call("ringbuf_submit").label(OUT).return(0);
}
