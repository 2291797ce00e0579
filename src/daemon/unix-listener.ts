import {
  chmodSync,
  chownSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  type Stats,
  unlinkSync,
} from "node:fs";
import { connect, createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { tryLock } from "../kernel/index.js";
import { ExitCode, StartError } from "./exit-code.js";
import { groupId } from "./group.js";
import type { UnixListenerSettings } from "./settings.js";

const LOCK_RETRY_MS = 20;

/**
 * Listens on a unix socket: makes its directory, removes a socket that a dead daemon left
 * behind, and lets nobody in before mode and group are as they should be.
 */
export async function listenUnix(
  settings: UnixListenerSettings,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  const { path, mode, group, directory_mode: directoryMode } = settings;
  const gid = group === undefined ? undefined : groupId(group);
  const directory = dirname(path);
  return explained(path, async () => {
    const made = mkdirSync(directory, { recursive: true, mode: directoryMode }) !== undefined;
    if (made) setAccess(directory, directoryMode, gid);
    return withLock(directory, async () => {
      await removeStale(path);
      const server = await bind(path, onConnection);
      setAccess(path, mode, gid);
      return server;
    });
  });
}

/** Takes over a unix socket that listens already; its file, mode and group stay as they are. */
export function adoptUnix(
  fd: number,
  path: string,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  return explained(path, () => listening(createServer(onConnection), { fd }));
}

/** A socket whose process is gone stays as a file; one that is answered is another daemon's. */
async function removeStale(path: string): Promise<void> {
  const found = statOf(path);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new StartError(
      ExitCode.FAILED,
      `${path} is there and is no socket: move it away, or choose another path with --socket`,
    );
  }
  if (await isAnswered(path)) {
    throw new StartError(
      ExitCode.ADDRESS_IN_USE,
      `another daemon answers on ${path}: stop it, or choose another path with --socket`,
    );
  }
  unlinkSync(path);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      // A full backlog: somebody listens, too busy to answer.
      else if (error.code === "EAGAIN") resolve(true);
      else reject(error);
    });
  });
}

/** Nobody but the owner can connect until the mode is set: the umask covers the time between. */
function bind(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  const umask = process.umask(0o177);
  try {
    // The file is made before listen returns.
    return listening(createServer(onConnection), { path });
  } finally {
    process.umask(umask);
  }
}

function listening(server: Server, where: { path: string } | { fd: number }): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where as ListenOptions, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}

function setAccess(path: string, mode: number, gid: number | undefined): void {
  if (gid !== undefined) chownSync(path, -1, gid);
  chmodSync(path, mode);
}

/**
 * Two daemons that start at once would each take the other's new socket for a stale one.
 * The lock is on the directory, so that it leaves no file behind.
 */
async function withLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const fd = openSync(directory, "r");
  try {
    while (!tryLock(fd)) await delay(LOCK_RETRY_MS);
    return await work();
  } finally {
    closeSync(fd);
  }
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

async function explained<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof StartError) throw cause;
    throw new StartError(ExitCode.FAILED, `cannot listen on ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
