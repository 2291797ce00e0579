/**
 * System call numbers. bpf(2) and perf_event_open(2) have one per architecture; the later
 * ones share theirs (the unified table since Linux 5.x). Source: arch/x86/entry/syscalls/
 * syscall_64.tbl and include/uapi/asm-generic/unistd.h.
 */
const SYSCALLS = {
  x64: { bpf: 321, openat2: 437, pidfd_open: 434, pidfd_getfd: 438, perf_event_open: 298 },
  arm64: { bpf: 280, openat2: 437, pidfd_open: 434, pidfd_getfd: 438, perf_event_open: 241 },
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

/** Commands of bpf(2): `enum bpf_cmd` of include/uapi/linux/bpf.h. */
export const BpfCommand = {
  MAP_CREATE: 0,
  MAP_LOOKUP_ELEM: 1,
  MAP_UPDATE_ELEM: 2,
  MAP_DELETE_ELEM: 3,
  MAP_GET_NEXT_KEY: 4,
  PROG_LOAD: 5,
  OBJ_PIN: 6,
  OBJ_GET: 7,
  PROG_TEST_RUN: 10,
  PROG_GET_NEXT_ID: 11,
  MAP_GET_NEXT_ID: 12,
  PROG_GET_FD_BY_ID: 13,
  MAP_GET_FD_BY_ID: 14,
  OBJ_GET_INFO_BY_FD: 15,
  RAW_TRACEPOINT_OPEN: 17,
  BTF_LOAD: 18,
  BTF_GET_FD_BY_ID: 19,
  MAP_LOOKUP_AND_DELETE_ELEM: 21,
  MAP_FREEZE: 22,
  BTF_GET_NEXT_ID: 23,
  MAP_LOOKUP_BATCH: 24,
  MAP_LOOKUP_AND_DELETE_BATCH: 25,
  MAP_UPDATE_BATCH: 26,
  MAP_DELETE_BATCH: 27,
  LINK_CREATE: 28,
  LINK_GET_FD_BY_ID: 30,
  LINK_GET_NEXT_ID: 31,
  ENABLE_STATS: 32,
  LINK_DETACH: 34,
} as const;

/** Flag of calls that answer with an fd of a map: the fd reads only. */
export const BPF_F_RDONLY = 8;
