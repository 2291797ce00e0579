import { bpfCall, itself } from "./bpf-call.js";

/**
 * BPF_BTF_LOAD: the fd (close-on-exec) of a BTF object made from these bytes, header
 * included. Throws KernelError.
 */
export function btfLoad(btf: Uint8Array): number {
  return bpfCall(
    "BTF_LOAD",
    32,
    btf.length,
    (attr, bytes) => {
      attr.bytes.set(btf, bytes);
      attr.setU64(0, attr.at(bytes));
      attr.setU32(16, btf.length);
    },
    itself,
  );
}
