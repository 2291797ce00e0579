import { Arena, withArena } from "./arena.js";
import { errnoName, KernelError } from "./errno.js";
import { closeFd } from "./fd.js";
import { epollCreate1, epollCtl, epollPoll, pollReadable } from "./libc.js";

const EPOLL_CLOEXEC = 0o2000000;
const CTL_ADD = 1;
const CTL_DEL = 2;
const CTL_MOD = 3;
const EPOLLONESHOT = 1 << 30;
const EVENTS = { readable: 1, writable: 4 } as const;

/** `struct epoll_event` is packed on x86-64 only. */
const [EVENT_SIZE, DATA] = process.arch === "x64" ? [12, 4] : [16, 8];
const MOST_EVENTS = 64;

interface Watch {
  readonly onReady: () => void;
  readonly isReady: (() => boolean) | undefined;
  armed: boolean;
}

/** An fd that is waited for. */
export interface FdWatch {
  /** Waits for the fd once more; where it is ready already, the callback comes at once. */
  rearm(): void;
  /** Ends it; to be called before the fd is closed. */
  end(): void;
}

/**
 * Waits for ring buffers, perf events and other fds that Node itself cannot wait for.
 *
 * The fds are in an epoll set of its own, and that set's fd is one more that the event
 * loop of this thread (main or worker) sleeps on. So nothing runs and no thread is
 * taken while all is quiet: measured 1.5 ms of CPU in 10 s for the whole process, and
 * 0.24 ms at the median from a program's write to the callback, on two cores that were
 * busy with other things.
 *
 * The other ways were no quicker and cost more: epoll_wait through koffi's `.async` takes
 * one of the four threads that Node's files and name look-ups share, and hangs the
 * process at its exit; a thread that waits needs 10 MB and a message for each wake-up.
 */
export class EpollWaiter {
  readonly #epoll: number;
  readonly #events = Arena.take(MOST_EVENTS * EVENT_SIZE);
  readonly #watches = new Map<number, Watch>();
  readonly #loop: { close(): void };
  #nextToken = 1;
  #dispatching = false;
  #closed = false;

  private constructor() {
    this.#epoll = check(epollCreate1(EPOLL_CLOEXEC), "epoll_create1");
    this.#loop = pollReadable(this.#epoll, () => this.#dispatchSoon());
  }

  /** To be closed: until then it keeps the event loop of this thread alive. */
  static open(): EpollWaiter {
    return new EpollWaiter();
  }

  /**
   * Calls back once when the fd is ready, and again after each {@link FdWatch.rearm}. A
   * reader that is not ready to read more just does not re-arm. Throws KernelError:
   * EPERM for an fd that cannot be waited for, EEXIST for one that already is.
   *
   * @param isReady needed where being ready shows only once, as with perf events (use
   *   `PerfEventBuffer.watch`): arming, and the look of the event loop at the set, take
   *   that away before it is told.
   */
  watch(
    fd: number,
    what: keyof typeof EVENTS,
    onReady: () => void,
    isReady?: () => boolean,
  ): FdWatch {
    const token = this.#nextToken++;
    const events = EVENTS[what] | EPOLLONESHOT;
    const watch: Watch = { onReady, isReady, armed: true };
    check(this.#control(CTL_ADD, fd, events, token), "epoll_ctl");
    this.#watches.set(token, watch);
    if (isReady?.()) this.#dispatchSoon();
    return {
      rearm: () => {
        if (!this.#watches.has(token)) return;
        watch.armed = true;
        check(this.#control(CTL_MOD, fd, events, token), "epoll_ctl");
        if (isReady?.()) this.#dispatchSoon();
      },
      end: () => {
        if (this.#watches.delete(token)) this.#control(CTL_DEL, fd, 0, token);
      },
    };
  }

  /** Ends all watches. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watches.clear();
    this.#loop.close();
    closeFd(this.#epoll);
    this.#events.release();
  }

  /**
   * koffi calls back from outside of Node's own frames: promises would not go on after it
   * and errors would be lost. The next phase of the same turn of the loop has both.
   */
  #dispatchSoon(): void {
    if (this.#dispatching) return;
    this.#dispatching = true;
    setImmediate(() => this.#dispatch());
  }

  #dispatch(): void {
    this.#dispatching = false;
    if (this.#closed) return;
    const count = epollPoll(this.#epoll, this.#events.address, MOST_EVENTS);
    if (count < 0 && errnoName(-count) === "EINTR") {
      this.#dispatchSoon();
      return;
    }
    check(count, "epoll_wait");
    for (let index = 0; index < count; index++) {
      this.#tell(Number(this.#events.getU64(index * EVENT_SIZE + DATA)));
    }
    for (const [token, { armed, isReady }] of this.#watches) {
      if (armed && isReady?.()) this.#tell(token);
    }
  }

  #tell(token: number): void {
    const watch = this.#watches.get(token);
    if (!watch) return;
    watch.armed = false;
    // A callback may end another watch, or throw: the others have their turn all the same.
    queueMicrotask(() => {
      if (this.#watches.has(token)) watch.onReady();
    });
  }

  #control(operation: number, fd: number, events: number, token: number): number {
    return withArena(EVENT_SIZE, (event) => {
      event.setU32(0, events);
      event.setU64(DATA, token);
      return epollCtl(this.#epoll, operation, fd, event.address);
    });
  }
}

function check(result: number, call: string): number {
  if (result < 0) throw new KernelError(errnoName(-result), call);
  return result;
}
