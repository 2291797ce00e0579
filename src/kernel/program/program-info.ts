import type { Arena } from "../arena.js";
import { bpfCall } from "../bpf-call.js";
import { cString } from "../c-string.js";

/** `struct bpf_prog_info` as the kernel filled it; fields that it does not know are 0. */
export interface ProgramInfo {
  readonly type: number;
  readonly id: number;
  readonly name: string;
  /** SHA of the instructions: 16 hexadecimal digits. */
  readonly tag: string;
  readonly mapIds: readonly number[];
  /** Nanoseconds after boot. */
  readonly loadTimeNs: bigint;
  readonly createdByUid: number;
  readonly ifindex: number;
  readonly gplCompatible: boolean;
  /** Bytes of the instructions after the verifier's changes, and of the machine code. */
  readonly translatedLength: number;
  readonly jitedLength: number;
  readonly btfId: number;
  /** What the program is attached to: a BTF object (0 is none) and a type in it. */
  readonly attachBtfObjectId: number;
  readonly attachBtfId: number;
  /** Only counted while somebody holds {@link enableRunStatistics}. */
  readonly runTimeNs: bigint;
  readonly runCount: bigint;
  /** Times that the program did not run because it ran already on this CPU. */
  readonly recursionMisses: bigint;
  readonly verifiedInstructions: number;
}

const INFO_SIZE = 232;
const MAP_COUNT = 52;
const MAP_IDS = 56;
const FIRST_ROOM = 64;

/** BPF_OBJ_GET_INFO_BY_FD of a program's fd. Throws KernelError. */
export function programInfo(fd: number): ProgramInfo {
  for (let room = FIRST_ROOM; ; ) {
    const { info, mapCount } = readInfo(fd, room);
    if (mapCount <= room) return info;
    room = mapCount;
  }
}

function readInfo(fd: number, room: number): { info: ProgramInfo; mapCount: number } {
  return bpfCall(
    "OBJ_GET_INFO_BY_FD",
    16,
    INFO_SIZE + 4 * room,
    (attr, info) => {
      attr.setU32(0, fd);
      attr.setU32(4, INFO_SIZE);
      attr.setU64(8, attr.at(info));
      attr.setU32(info + MAP_COUNT, room);
      attr.setU64(info + MAP_IDS, attr.at(info + INFO_SIZE));
    },
    (_, attr, at) => {
      const mapCount = attr.getU32(at + MAP_COUNT);
      return { mapCount, info: decode(attr, at, Math.min(room, mapCount)) };
    },
  );
}

function decode(attr: Arena, at: number, mapCount: number): ProgramInfo {
  const ids = at + INFO_SIZE;
  return {
    type: attr.getU32(at),
    id: attr.getU32(at + 4),
    tag: attr.bytes.toString("hex", at + 8, at + 16),
    jitedLength: attr.getU32(at + 16),
    translatedLength: attr.getU32(at + 20),
    loadTimeNs: attr.getU64(at + 40),
    createdByUid: attr.getU32(at + 48),
    mapIds: Array.from({ length: mapCount }, (_, index) => attr.getU32(ids + 4 * index)),
    name: cString(attr.bytes.subarray(at + 64, at + 80)),
    ifindex: attr.getU32(at + 80),
    gplCompatible: (attr.getU32(at + 84) & 1) === 1,
    btfId: attr.getU32(at + 128),
    runTimeNs: attr.getU64(at + 192),
    runCount: attr.getU64(at + 200),
    recursionMisses: attr.getU64(at + 208),
    verifiedInstructions: attr.getU32(at + 216),
    attachBtfObjectId: attr.getU32(at + 220),
    attachBtfId: attr.getU32(at + 224),
  };
}
