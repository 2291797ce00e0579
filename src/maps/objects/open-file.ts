import { constants, open } from "node:fs";
import { promisify } from "node:util";
import {
  borrowFd,
  closeFd,
  openPerfEvent,
  openProcess,
  type SocketFacts,
  socketFacts,
} from "../../kernel/index.js";
import type { PerfEventRef, ProcessFileRef, SocketRef } from "../object-ref.js";
import { explainOpening, objectError } from "./object-error.js";

/** Opens a running process: a pidfd for the caller to close. */
export function openTask(pid: number, field: string): number {
  try {
    return openProcess(pid);
  } catch (error) {
    const absent = ["ESRCH", "ENOENT", "EINVAL"];
    throw explainOpening(error, field, `process with id ${pid}`, absent, "CAP_SYS_PTRACE");
  }
}

/** Takes a copy of what a process has open: an fd for the caller to close. */
export function openProcessFile({ pid, fd }: ProcessFileRef, field: string): number {
  const task = openTask(pid, `${field}.pid`);
  try {
    return borrowFd(task, fd);
  } catch (error) {
    const what = `file ${fd} of process ${pid}`;
    throw explainOpening(error, `${field}.fd`, what, ["EBADF", "ESRCH"], "CAP_SYS_PTRACE");
  } finally {
    closeFd(task);
  }
}

/** Opens the socket that a reference names, and tells what it is. */
export function openSocket(
  ref: SocketRef,
  field: string,
): { readonly fd: number; readonly facts: SocketFacts } {
  if (ref.by === "cookie") {
    const why = "a cookie only tells a socket; to write it, name a process's fd";
    throw objectError("FIELD_INVALID", `${field}.cookie`, why);
  }
  const fd = openProcessFile(ref.file, `${field}.file`);
  try {
    return { fd, facts: socketFacts(fd) };
  } catch (error) {
    closeFd(fd);
    const { pid, fd: number } = ref.file;
    const what = `file ${number} of process ${pid} is no socket`;
    throw objectError("OBJECT_WRONG_KIND", `${field}.file`, what, error);
  }
}

/** Opens the perf event that a reference names: an fd for the caller to close. */
export function openPerfEventOf(ref: PerfEventRef, field: string): number {
  if (ref.by === "file") return openProcessFile(ref.file, `${field}.file`);
  const { type, config, cpu } = ref.spec;
  try {
    return openPerfEvent(ref.spec);
  } catch (error) {
    const what = `perf event of type ${type}, config ${config} on CPU ${cpu}`;
    const absent = ["ENOENT", "ENODEV", "EINVAL", "EOPNOTSUPP"];
    throw explainOpening(error, `${field}.spec`, what, absent, "CAP_PERFMON");
  }
}

/** open(2)'s flag for a handle that does nothing to the file; Node has no name for it. */
const O_PATH = 0o10000000;

/** Opens the inode at a path, without effect on it: an fd for the caller to close. */
export async function openPath(path: string, field: string): Promise<number> {
  if (!path.startsWith("/") || path.includes("\0")) {
    throw objectError(
      "FIELD_INVALID",
      field,
      `${JSON.stringify(path)} given; give an absolute path`,
    );
  }
  try {
    return await promisify(open)(path, O_PATH | constants.O_RDONLY);
  } catch (error) {
    const absent = ["ENOENT", "ENOTDIR", "ELOOP"];
    throw explainOpening(error, field, `file ${path}`, absent, "CAP_DAC_READ_SEARCH");
  }
}
