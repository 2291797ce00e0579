/**
 * System call numbers. bpf(2) has one number per architecture; openat2 shares one on
 * all (the unified table since Linux 5.x). Source: arch/x86/entry/syscalls/
 * syscall_64.tbl and include/uapi/asm-generic/unistd.h.
 */
const SYSCALLS = {
  x64: { bpf: 321, openat2: 437 },
  arm64: { bpf: 280, openat2: 437 },
} as const;

function numbersOfThisMachine(): (typeof SYSCALLS)[keyof typeof SYSCALLS] {
  const arch = process.arch;
  if (process.platform !== "linux" || !(arch === "x64" || arch === "arm64")) {
    throw new Error(
      `bpfmapd runs on Linux on x86-64 and arm64, not on ${process.platform} ${arch}`,
    );
  }
  return SYSCALLS[arch];
}

/** The system call numbers of the running machine. */
export const Syscall = numbersOfThisMachine();

/** Commands of bpf(2) that concern maps: `enum bpf_cmd` of include/uapi/linux/bpf.h. */
export const BpfCommand = {
  MAP_CREATE: 0,
  MAP_LOOKUP_ELEM: 1,
  MAP_UPDATE_ELEM: 2,
  MAP_DELETE_ELEM: 3,
  MAP_GET_NEXT_KEY: 4,
  OBJ_PIN: 6,
  OBJ_GET: 7,
  MAP_GET_NEXT_ID: 12,
  MAP_GET_FD_BY_ID: 14,
  OBJ_GET_INFO_BY_FD: 15,
  BTF_LOAD: 18,
  MAP_LOOKUP_AND_DELETE_ELEM: 21,
  MAP_FREEZE: 22,
  MAP_LOOKUP_BATCH: 24,
  MAP_LOOKUP_AND_DELETE_BATCH: 25,
  MAP_UPDATE_BATCH: 26,
  MAP_DELETE_BATCH: 27,
} as const;
