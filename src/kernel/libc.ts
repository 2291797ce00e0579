import { constants } from "node:buffer";
import koffi from "koffi";
import { Syscall } from "./numbers.js";

/*
 * All that koffi is used for. Every function here answers as the kernel does: a result
 * of 0 or more, or a negative errno. The addresses given must lie in an Arena, which
 * the garbage collector can neither move nor free.
 */

const libc = koffi.load("libc.so.6");

// Fixed prototypes: a variadic one costs 40 % more a call.
const bpfSyscall = libc.func("long syscall(long nr, int cmd, uintptr_t attr, uint32_t size)");
const openat2Syscall = libc.func(
  "long syscall(long nr, int dirfd, const char *path, uintptr_t how, size_t size)",
);
const calloc = libc.func("void *calloc(size_t count, size_t size)");
const freeMemory = libc.func("void free(void *memory)");
const mountFilesystem = libc.func(
  "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
);
const mapMemory = libc.func(
  "uintptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, long offset)",
);
const unmapMemory = libc.func("int munmap(uintptr_t address, size_t length)");
const adviseMemory = libc.func("int madvise(uintptr_t address, size_t length, int advice)");
const pidfdSyscall = libc.func("long syscall(long nr, int fd, int number, uint32_t flags)");
const perfEventOpenSyscall = libc.func(
  "long syscall(long nr, uintptr_t attr, int pid, int cpu, int group, unsigned long flags)",
);
const epollCreate = libc.func("int epoll_create1(int flags)");
const epollControl = libc.func("int epoll_ctl(int epoll, int operation, int fd, uintptr_t event)");
const epollWaiting = libc.func(
  "int epoll_wait(int epoll, uintptr_t events, int most, int timeout)",
);
const getSocketOption = libc.func(
  "int getsockopt(int fd, int level, int name, uintptr_t value, uintptr_t length)",
);
const openSocket = libc.func("int socket(int family, int type, int protocol)");
const sendMessage = libc.func(
  "long sendto(int fd, uintptr_t bytes, size_t size, int flags, uintptr_t address, uint32_t length)",
);
const nameToIndex = libc.func("unsigned int if_nametoindex(const char *name)");
const indexToName = libc.func("uintptr_t if_indextoname(unsigned int index, uintptr_t name)");
const readProcess = libc.func(
  "long process_vm_readv(int pid, uintptr_t local, unsigned long locals, uintptr_t remote, unsigned long remotes, unsigned long flags)",
);
const writeProcess = libc.func(
  "long process_vm_writev(int pid, uintptr_t local, unsigned long locals, uintptr_t remote, unsigned long remotes, unsigned long flags)",
);
const flockFile = libc.func("int flock(int fd, int operation)");
const getClock = libc.func("int clock_gettime(int clock, uintptr_t time)");
const getRlimit = libc.func("int getrlimit(int resource, uintptr_t limit)");
const setRlimit = libc.func("int setrlimit(int resource, uintptr_t limit)");
const setCapabilities = libc.func("int capset(uintptr_t header, uintptr_t data)");
const controlProcess = libc.func(
  "int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)",
);
const controlFd = libc.func("int fcntl(int fd, int command, long argument)");
const executeProgram = libc.func("int execv(const char *path, const char **arguments)");

// errno belongs to the thread, and so does this module's instance: workers load their own.
const errno = new Int32Array(koffi.view(libc.func("void *__errno_location()")(), 4));

/** The result of a call, or its errno negated. Reads errno before anything can change it. */
function answer(result: number): number {
  return result < 0 ? -(errno[0] ?? 0) : result;
}

/** bpf(2) with the attribute at this address. */
export function bpf(command: number, attr: number, size: number): number {
  return answer(bpfSyscall(Syscall.bpf, command, attr, size));
}

/** openat2(2) with `struct open_how` at this address. */
export function openat2(dirfd: number, path: string, how: number, size: number): number {
  return answer(openat2Syscall(Syscall.openat2, dirfd, path, how, size));
}

/** mount(2) with no flags. */
export function mount(source: string, target: string, type: string, data: string): number {
  return answer(mountFilesystem(source, target, type, 0, data));
}

/** flock(2). */
export function flock(fd: number, operation: number): number {
  return answer(flockFile(fd, operation));
}

/** clock_gettime(2) into `struct timespec` at this address. */
export function clockGettime(clock: number, time: number): number {
  return answer(getClock(clock, time));
}

/** getrlimit(2) into `struct rlimit` at this address. */
export function getrlimit(resource: number, limit: number): number {
  return answer(getRlimit(resource, limit));
}

/** setrlimit(2) from `struct rlimit` at this address. */
export function setrlimit(resource: number, limit: number): number {
  return answer(setRlimit(resource, limit));
}

/** capset(2) from `struct __user_cap_header_struct` and data at these addresses. */
export function capset(header: number, data: number): number {
  return answer(setCapabilities(header, data));
}

/** prctl(2) with two arguments. */
export function prctl(option: number, a: number, b: number): number {
  return answer(controlProcess(option, a, b, 0, 0));
}

/** fcntl(2). */
export function fcntl(fd: number, command: number, argument: number): number {
  return answer(controlFd(fd, command, argument));
}

/** execve(2) with this process's environment: comes back only with an errno negated. */
export function execv(path: string, args: readonly string[]): number {
  return answer(executeProgram(path, [...args, null]));
}

/** mmap(2): the address of the mapping, or an errno negated. */
export function mmap(
  address: number,
  length: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
): number {
  const result = mapMemory(address, length, protection, flags, fd, offset);
  // MAP_FAILED is all ones, which koffi gives as a bigint; addresses come as numbers.
  return typeof result === "number" ? result : answer(-1);
}

/** munmap(2). */
export function munmap(address: number, length: number): number {
  return answer(unmapMemory(address, length));
}

/** madvise(2). */
export function madvise(address: number, length: number, advice: number): number {
  return answer(adviseMemory(address, length, advice));
}

/** pidfd_open(2) with no flags. */
export function pidfdOpen(pid: number): number {
  return answer(pidfdSyscall(Syscall.pidfd_open, pid, 0, 0));
}

/** pidfd_getfd(2). */
export function pidfdGetfd(pidfd: number, fd: number): number {
  return answer(pidfdSyscall(Syscall.pidfd_getfd, pidfd, fd, 0));
}

/** perf_event_open(2) for all processes on one CPU, with `struct perf_event_attr` here. */
export function perfEventOpen(attr: number, cpu: number, flags: number): number {
  return answer(perfEventOpenSyscall(Syscall.perf_event_open, attr, -1, cpu, -1, flags));
}

/** epoll_create1(2). */
export function epollCreate1(flags: number): number {
  return answer(epollCreate(flags));
}

/** epoll_ctl(2) with `struct epoll_event` at this address. */
export function epollCtl(epoll: number, operation: number, fd: number, event: number): number {
  return answer(epollControl(epoll, operation, fd, event));
}

/** epoll_wait(2) that does not wait. */
export function epollPoll(epoll: number, events: number, most: number): number {
  return answer(epollWaiting(epoll, events, most, 0));
}

/** getsockopt(2). */
export function getsockopt(
  fd: number,
  level: number,
  name: number,
  value: number,
  length: number,
): number {
  return answer(getSocketOption(fd, level, name, value, length));
}

/** socket(2). */
export function socket(family: number, type: number, protocol: number): number {
  return answer(openSocket(family, type, protocol));
}

/** sendto(2) with no flags, from and to these addresses in memory. */
export function sendto(
  fd: number,
  bytes: number,
  size: number,
  address: number,
  length: number,
): number {
  return answer(sendMessage(fd, bytes, size, 0, address, length));
}

/** if_nametoindex(3). */
export function ifNametoindex(name: string): number {
  return nameToIndex(name) || answer(-1);
}

/** if_indextoname(3) into IF_NAMESIZE bytes at this address: 0, or an errno negated. */
export function ifIndextoname(index: number, name: number): number {
  return indexToName(index, name) === 0 ? answer(-1) : 0;
}

/** process_vm_readv(2) and process_vm_writev(2) of this process, one `struct iovec` each. */
export function copyOwnMemory(way: "read" | "write", local: number, remote: number): number {
  const call = way === "read" ? readProcess : writeProcess;
  return answer(call(process.pid, local, 1, remote, 1, 0));
}

/** A view of memory that must stay where it is for as long as the view is used. */
export function viewMemory(address: number, size: number): ArrayBuffer {
  return koffi.view(BigInt(address), size);
}

/** Calls back from the event loop of this thread whenever the fd is readable, until closed. */
export function pollReadable(fd: number, onReadable: () => void): { close(): void } {
  return koffi.node.poll(fd, { readable: true }, onReadable);
}

/** Zeroed memory that stays where it is until it is freed. */
export function allocate(size: number): { address: number; memory: ArrayBuffer } {
  // A view that V8 refuses to make ends the process, not only the call.
  const pointer = size > constants.MAX_LENGTH ? null : calloc(1, size);
  // koffi 3 gives pointers as bigint; user addresses stay below 2^53 on both machines.
  if (!pointer) throw new RangeError(`no memory for ${size} bytes`);
  return { address: Number(pointer), memory: koffi.view(pointer, size) };
}

/**
 * Where the bytes of an ArrayBuffer are. V8 does not move them, and frees them when nobody
 * refers to it any more, or it was transferred: keep it until the call is over.
 */
export function addressOf(memory: ArrayBuffer): number {
  return Number(koffi.address(memory));
}

/** Frees what {@link allocate} gave; no view of it may be used after. */
export function free(address: number): void {
  freeMemory(BigInt(address));
}
