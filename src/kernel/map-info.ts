import { bpfCall } from "./bpf-call.js";
import { cString } from "./c-string.js";

/** `struct bpf_map_info` as the kernel filled it; fields that it does not know are 0. */
export interface MapInfo {
  readonly type: number;
  readonly id: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly name: string;
  readonly ifindex: number;
  readonly btfVmlinuxValueTypeId: number;
  readonly btfId: number;
  readonly btfKeyTypeId: number;
  readonly btfValueTypeId: number;
  /** Id of the BTF that btfVmlinuxValueTypeId is in; 0 before Linux 6.9, when it is the kernel's. */
  readonly btfVmlinuxId: number;
  readonly mapExtra: bigint;
}

const INFO_SIZE = 88;

/** BPF_OBJ_GET_INFO_BY_FD of a map's fd. Throws KernelError. */
export function mapInfo(fd: number): MapInfo {
  return bpfCall(
    "OBJ_GET_INFO_BY_FD",
    16,
    INFO_SIZE,
    (attr, info) => {
      attr.setU32(0, fd);
      attr.setU32(4, INFO_SIZE);
      attr.setU64(8, attr.at(info));
    },
    (_, attr, info) => ({
      type: attr.getU32(info),
      id: attr.getU32(info + 4),
      keySize: attr.getU32(info + 8),
      valueSize: attr.getU32(info + 12),
      maxEntries: attr.getU32(info + 16),
      flags: attr.getU32(info + 20),
      name: cString(attr.bytes.subarray(info + 24, info + 40)),
      ifindex: attr.getU32(info + 40),
      btfVmlinuxValueTypeId: attr.getU32(info + 44),
      btfId: attr.getU32(info + 64),
      btfKeyTypeId: attr.getU32(info + 68),
      btfValueTypeId: attr.getU32(info + 72),
      btfVmlinuxId: attr.getU32(info + 76),
      mapExtra: attr.getU64(info + 80),
    }),
  );
}
