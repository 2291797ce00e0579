import { bpfCall, itself } from "../bpf-call.js";
import { cString } from "../c-string.js";
import { nextId } from "../next-id.js";

/** What BPF_LINK_CREATE takes. */
export interface LinkCreation {
  readonly programFd: number;
  /** Fd of the cgroup or map, number of the interface; 0 for tracing programs. */
  readonly target?: number;
  /** One of `AttachType`. */
  readonly attachType: number;
  readonly flags?: number;
}

/** `enum bpf_link_type`. */
export const LinkType = {
  RAW_TRACEPOINT: 1,
  TRACING: 2,
  CGROUP: 3,
  ITER: 4,
  NETNS: 5,
  XDP: 6,
  PERF_EVENT: 7,
  KPROBE_MULTI: 8,
  STRUCT_OPS: 9,
  NETFILTER: 10,
  TCX: 11,
} as const;

/** `struct bpf_link_info`; what belongs to other types of link is left out. */
export interface LinkInfo {
  /** One of `LinkType`. */
  readonly type: number;
  readonly id: number;
  readonly programId: number;
  /** The tracepoint of a raw tracepoint. */
  readonly tracepoint?: string;
  /** What a tracing link is attached to: BTF object and type in it. */
  readonly attachType?: number;
  readonly targetBtfObjectId?: number;
  readonly targetBtfId?: number;
  /** Of a cgroup link. */
  readonly cgroupId?: bigint;
  /** Of an XDP link. */
  readonly ifindex?: number;
}

const INFO_SIZE = 64;
const NAME_SIZE = 128;

/**
 * BPF_LINK_CREATE: attaches a program for as long as the link lives, which ends with its
 * last fd or pin. The answer is such an fd (close-on-exec). Throws KernelError.
 */
export function linkCreate(creation: LinkCreation): number {
  return bpfCall(
    "LINK_CREATE",
    64,
    0,
    (attr) => {
      attr.setU32(0, creation.programFd);
      attr.setU32(4, creation.target ?? 0);
      attr.setU32(8, creation.attachType);
      attr.setU32(12, creation.flags ?? 0);
    },
    itself,
  );
}

/** BPF_LINK_GET_NEXT_ID: the next link id after `id`, or undefined after the last. */
export function linkNextId(id: number): number | undefined {
  return nextId("LINK_GET_NEXT_ID", id);
}

/** BPF_LINK_GET_FD_BY_ID: a new fd (close-on-exec) of the link with this id. */
export function linkGetFdById(id: number): number {
  return bpfCall("LINK_GET_FD_BY_ID", 12, 0, (attr) => attr.setU32(0, id), itself);
}

/** BPF_LINK_DETACH: detaches the program, whoever else holds the link. Throws KernelError. */
export function linkDetach(fd: number): void {
  bpfCall("LINK_DETACH", 4, 0, (attr) => attr.setU32(0, fd), itself);
}

/** BPF_OBJ_GET_INFO_BY_FD of a link's fd. Throws KernelError. */
export function linkInfo(fd: number): LinkInfo {
  // Where a tracepoint's name is wanted, the room for it stands; elsewhere the same
  // bytes are results, so the type must be known before.
  const { type } = readInfo(fd, false);
  return readInfo(fd, type === LinkType.RAW_TRACEPOINT);
}

function readInfo(fd: number, withName: boolean): LinkInfo {
  return bpfCall(
    "OBJ_GET_INFO_BY_FD",
    16,
    INFO_SIZE + NAME_SIZE,
    (attr, info) => {
      attr.setU32(0, fd);
      attr.setU32(4, INFO_SIZE);
      attr.setU64(8, attr.at(info));
      if (!withName) return;
      attr.setU64(info + 16, attr.at(info + INFO_SIZE));
      attr.setU32(info + 24, NAME_SIZE);
    },
    (_, attr, info) => {
      const word = (offset: number) => attr.getU32(info + offset);
      const common = { type: word(0), id: word(4), programId: word(8) };
      switch (common.type) {
        case LinkType.RAW_TRACEPOINT: {
          const name = info + INFO_SIZE;
          const tracepoint = cString(attr.bytes.subarray(name, name + NAME_SIZE));
          return { ...common, tracepoint };
        }
        case LinkType.TRACING: {
          const target = { targetBtfObjectId: word(20), targetBtfId: word(24) };
          return { ...common, attachType: word(16), ...target };
        }
        case LinkType.CGROUP:
          return { ...common, cgroupId: attr.getU64(info + 16), attachType: word(24) };
        case LinkType.XDP:
          return { ...common, ifindex: word(16) };
        default:
          return common;
      }
    },
  );
}
