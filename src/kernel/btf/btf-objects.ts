import { bpfCall, itself } from "../bpf-call.js";
import { cString } from "../c-string.js";
import { nextId } from "../next-id.js";

/** `struct bpf_btf_info`. */
export interface BtfInfo {
  readonly id: number;
  /** "vmlinux" or the module's name for the kernel's own, "" for what programs loaded. */
  readonly name: string;
  /** It is the kernel's or a module's. */
  readonly kernel: boolean;
  /** Bytes of the blob. */
  readonly size: number;
}

const INFO_SIZE = 32;
/** BTF_NAME_MAX of kernel/bpf/btf.c is the longest name of a module: 56 bytes. */
const NAME_SIZE = 64;

/** BPF_BTF_GET_NEXT_ID: the next BTF id after `id`, or undefined after the last. */
export function btfNextId(id: number): number | undefined {
  return nextId("BTF_GET_NEXT_ID", id);
}

/** BPF_BTF_GET_FD_BY_ID: a new fd (close-on-exec) of the BTF object with this id. */
export function btfGetFdById(id: number): number {
  return bpfCall("BTF_GET_FD_BY_ID", 12, 0, (attr) => attr.setU32(0, id), itself);
}

/** BPF_OBJ_GET_INFO_BY_FD of a BTF object's fd. Throws KernelError. */
export function btfInfo(fd: number): BtfInfo {
  return btfInfoAndBytes(fd, 0).info;
}

/** The blob of a BTF object, as `Btf.parse` reads it. Throws KernelError. */
export function btfBytes(fd: number): Uint8Array {
  return btfInfoAndBytes(fd, btfInfo(fd).size).bytes;
}

function btfInfoAndBytes(fd: number, size: number): { info: BtfInfo; bytes: Uint8Array } {
  return bpfCall(
    "OBJ_GET_INFO_BY_FD",
    16,
    INFO_SIZE + NAME_SIZE + size,
    (attr, info) => {
      const name = info + INFO_SIZE;
      attr.setU32(0, fd);
      attr.setU32(4, INFO_SIZE);
      attr.setU64(8, attr.at(info));
      attr.setU64(info, attr.at(name + NAME_SIZE));
      attr.setU32(info + 8, size);
      attr.setU64(info + 16, attr.at(name));
      attr.setU32(info + 24, NAME_SIZE);
    },
    (_, attr, info) => {
      const name = info + INFO_SIZE;
      const bytes = name + NAME_SIZE;
      return {
        info: {
          id: attr.getU32(info + 12),
          name: cString(attr.bytes.subarray(name, name + NAME_SIZE)),
          kernel: attr.getU32(info + 28) !== 0,
          size: attr.getU32(info + 8),
        },
        bytes: new Uint8Array(attr.bytes.subarray(bytes, bytes + size)),
      };
    },
  );
}
