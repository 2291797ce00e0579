import { readFileSync, readlinkSync } from "node:fs";
import { ExitCode, StartError } from "./exit-code.js";

/** The first fd that a service manager hands over: SD_LISTEN_FDS_START of sd_listen_fds(3). */
const FIRST = 3;

/** __SO_ACCEPTCON: the flag of a socket that listens (include/linux/net.h). */
const LISTENS = 0x10000;
const SOCK_STREAM = 1;

/** The fds of the listening sockets that a service manager has handed to this process. */
export function inheritedSockets(environment = process.env): number[] {
  const { LISTEN_PID, LISTEN_FDS } = environment;
  // The variables of a parent are inherited too, but its sockets are not this process's.
  if (LISTEN_PID !== `${process.pid}`) return [];
  return Array.from({ length: Number(LISTEN_FDS ?? 0) }, (_, index) => FIRST + index);
}

/**
 * The fd of the unix socket that a service manager listens on for the daemon; undefined
 * where there is none. Throws a StartError where it handed over anything else.
 *
 * @param path where the socket must be: what is documented and logged must be true
 */
export function inheritedUnixSocket(path: string): number | undefined {
  const [fd, ...others] = inheritedSockets();
  if (fd === undefined) return undefined;
  if (others.length > 0) {
    refuse(`handed over ${others.length + 1} sockets: one is taken, the unix socket ${path}`);
  }
  const found = pathOfUnixListener(fd);
  if (found === undefined) refuse("handed over something that is no listening unix stream socket");
  if (found !== path) {
    refuse(`listens on ${found}, but listen.unix.path is ${path}: give both the same path`);
  }
  return fd;
}

function refuse(what: string): never {
  throw new StartError(ExitCode.CONFIGURATION, `the service manager ${what}`);
}

/** The path of a listening unix stream socket; undefined for anything else. */
function pathOfUnixListener(fd: number): string | undefined {
  const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
  for (const line of readFileSync("/proc/self/net/unix", "utf8").split("\n")) {
    // Num: RefCount Protocol Flags Type St Inode Path
    const [, , , flags = "", type = "", , number, path] = line.split(/ +/);
    if (inode === undefined || number !== inode) continue;
    const listens = (Number.parseInt(flags, 16) & LISTENS) !== 0;
    return listens && Number.parseInt(type, 16) === SOCK_STREAM ? path : undefined;
  }
  return undefined;
}
