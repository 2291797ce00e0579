import { bpfCall, itself } from "../bpf-call.js";

/** An attachment of a tracing program. */
export interface RawTracepoint {
  readonly programFd: number;
  /**
   * The tracepoint, such as "sys_exit", for raw tracepoint programs. Programs of type
   * TRACING know from their load what they trace, and have none.
   */
  readonly name?: string;
}

/**
 * BPF_RAW_TRACEPOINT_OPEN: attaches a raw tracepoint, tp_btf, fentry or fexit program
 * for as long as the answer, an fd (close-on-exec), is open. Throws KernelError.
 */
export function rawTracepointOpen(attachment: RawTracepoint): number {
  const name = Buffer.from(`${attachment.name ?? ""}\0`, "latin1");
  return bpfCall(
    "RAW_TRACEPOINT_OPEN",
    16,
    name.length,
    (attr, at) => {
      attr.bytes.set(name, at);
      if (attachment.name !== undefined) attr.setU64(0, attr.at(at));
      attr.setU32(8, attachment.programFd);
    },
    itself,
  );
}
