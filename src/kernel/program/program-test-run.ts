import type { Arena } from "../arena.js";
import { bpfCall } from "../bpf-call.js";

/** What BPF_PROG_TEST_RUN takes. What a program needs and may have depends on its type. */
export interface ProgramTestRun {
  /** The packet; at least 14 bytes for those types that take one. */
  readonly data?: Uint8Array;
  /** The context, such as `struct xdp_md`, or what a syscall program works on. */
  readonly context?: Uint8Array;
  /** Times to run; the duration is the mean. Only for types that take packets. */
  readonly repeat?: number;
  /** Bytes of room for the packet as the program leaves it; else what came in and 256 more. */
  readonly dataRoom?: number;
  /** Bytes of room for the context as the program leaves it, for types that take packets. */
  readonly contextRoom?: number;
  /** CPU to run on, for raw tracepoints. */
  readonly cpu?: number;
}

export interface ProgramTestResult {
  /** What the program left in R0. */
  readonly returnValue: number;
  /** Of one run. */
  readonly durationNs: number;
  /** The packet after the run. */
  readonly data: Uint8Array;
  /** The context after the run, for syscall programs and where room was given. */
  readonly context: Uint8Array;
}

const ATTR_SIZE = 80;
const HEADROOM = 256;
const RUN_ON_CPU = 1;
const EMPTY = new Uint8Array(0);

/** BPF_PROG_TEST_RUN: runs a program on given data, without attaching it. Throws KernelError. */
export function programTestRun(fd: number, run: ProgramTestRun = {}): ProgramTestResult {
  const { data = EMPTY, context = EMPTY, contextRoom = 0 } = run;
  const dataRoom = run.dataRoom ?? (data.length > 0 ? data.length + HEADROOM : 0);
  return bpfCall(
    "PROG_TEST_RUN",
    ATTR_SIZE,
    data.length + dataRoom + context.length + contextRoom,
    (attr, dataIn) => {
      const dataOut = dataIn + data.length;
      const contextIn = dataOut + dataRoom;
      const contextOut = contextIn + context.length;
      attr.setU32(0, fd);
      attr.setU32(32, run.repeat ?? 0);
      attr.bytes.set(data, dataIn);
      attr.bytes.set(context, contextIn);
      point(attr, 8, 16, dataIn, data.length);
      point(attr, 12, 24, dataOut, dataRoom);
      point(attr, 40, 48, contextIn, context.length);
      point(attr, 44, 56, contextOut, contextRoom);
      if (run.cpu === undefined) return;
      attr.setU32(64, RUN_ON_CPU);
      attr.setU32(68, run.cpu);
    },
    (_, attr, dataIn) => {
      const dataOut = dataIn + data.length;
      const contextIn = dataOut + dataRoom;
      const contextOut = contextIn + context.length;
      const left = (start: number, length: number) =>
        new Uint8Array(attr.bytes.subarray(start, start + length));
      return {
        returnValue: attr.getU32(4),
        durationNs: attr.getU32(36),
        data: left(dataOut, Math.min(attr.getU32(12), dataRoom)),
        // Syscall programs have it written back to where it came from.
        context:
          contextRoom > 0
            ? left(contextOut, Math.min(attr.getU32(44), contextRoom))
            : left(contextIn, context.length),
      };
    },
  );
}

/** A pointer where a type expects nothing would be EINVAL, even to no bytes. */
function point(attr: Arena, sizeField: number, field: number, at: number, size: number): void {
  if (size === 0) return;
  attr.setU32(sizeField, size);
  attr.setU64(field, attr.at(at));
}
