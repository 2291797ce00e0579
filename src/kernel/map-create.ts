import { bpfCall, itself } from "./bpf-call.js";

/** What BPF_MAP_CREATE takes; every number is the kernel's own. */
export interface MapCreation {
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
  readonly innerMapFd?: number | undefined;
  readonly numaNode?: number;
  /** At most 15 bytes of `[A-Za-z0-9_.]`; otherwise the kernel answers EINVAL. */
  readonly name?: string;
  readonly ifindex?: number;
  readonly btfFd?: number;
  readonly btfKeyTypeId?: number;
  readonly btfValueTypeId?: number;
  readonly btfVmlinuxValueTypeId?: number;
  readonly mapExtra?: bigint;
}

/** BPF_MAP_CREATE: the fd of the new map (close-on-exec). Throws KernelError. */
export function mapCreate(creation: MapCreation): number {
  const name = Buffer.from(creation.name ?? "", "latin1");
  if (name.length > 15) throw new RangeError("a map's name has at most 15 bytes");
  return bpfCall(
    "MAP_CREATE",
    72,
    0,
    (attr) => {
      attr.setU32(0, creation.type);
      attr.setU32(4, creation.keySize);
      attr.setU32(8, creation.valueSize);
      attr.setU32(12, creation.maxEntries);
      attr.setU32(16, creation.flags ?? 0);
      attr.setU32(20, creation.innerMapFd ?? 0);
      attr.setU32(24, creation.numaNode ?? 0);
      name.copy(attr.bytes, 28);
      attr.setU32(44, creation.ifindex ?? 0);
      attr.setU32(48, creation.btfFd ?? 0);
      attr.setU32(52, creation.btfKeyTypeId ?? 0);
      attr.setU32(56, creation.btfValueTypeId ?? 0);
      attr.setU32(60, creation.btfVmlinuxValueTypeId ?? 0);
      attr.view.setBigUint64(64, creation.mapExtra ?? 0n, true);
    },
    itself,
  );
}
