import type { Logger } from "pino";
import { sendDatagram } from "../kernel/index.js";

/**
 * Tells the service manager that started the daemon, where one asks for it, how the daemon
 * is: sd_notify(3) and sd_watchdog_enabled(3), which systemd and others understand.
 */
export class ServiceManager {
  readonly #socket: string | undefined;
  readonly #log: Logger;
  readonly #watchdog: NodeJS.Timeout | undefined;

  constructor(log: Logger, environment = process.env) {
    this.#socket = environment.NOTIFY_SOCKET || undefined;
    this.#log = log;
    const period = watchdogMs(environment);
    if (period === undefined) return;
    // From the event loop that serves: one that hangs does not tell that it is alive.
    this.#watchdog = setInterval(() => this.#tell("WATCHDOG=1"), period / 2);
    this.#watchdog.unref();
  }

  /** The daemon serves. */
  ready(): void {
    this.#tell("READY=1");
  }

  /** The daemon was told to stop. */
  stopping(): void {
    clearInterval(this.#watchdog);
    this.#tell("STOPPING=1");
  }

  #tell(state: string): void {
    if (this.#socket === undefined) return;
    try {
      sendDatagram(this.#socket, state);
    } catch (error) {
      this.#log.warn({ err: error, state }, "the service manager was not told");
    }
  }
}

/** Milliseconds after which a daemon that says nothing counts as hung; undefined for never. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | undefined {
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== `${process.pid}`) return undefined;
  const period = Number(WATCHDOG_USEC) / 1000;
  return period > 0 ? period : undefined;
}
