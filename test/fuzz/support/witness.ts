import { expect, vi } from "vitest";
import { fdCount, residentBytes, threadCount } from "../../service/support/daemon-state.js";
import { frames, RawConnection } from "../../service/support/raw-grpc.js";
import type { TestDaemon } from "../../support/daemon.js";

const SLOWLY = { timeout: 30_000, interval: 20 };
const RPC = "bpfmap.v1.HostService/GetHost";

/** Another client of a daemon, which makes one call after the other and wants each answered. */
export class Witness {
  readonly #daemon: TestDaemon;
  readonly #connection: RawConnection;
  #files = 0;
  #threads = 0;
  #resident = 0;
  readonly #lines: number;
  readonly #working: Promise<void>;
  #served = 0;
  #stops = false;

  private constructor(daemon: TestDaemon, connection: RawConnection) {
    this.#daemon = daemon;
    this.#connection = connection;
    this.#lines = daemon.logs.length;
    this.#working = this.#work();
  }

  /** Begins, and notes what the daemon has. */
  static async call(daemon: TestDaemon): Promise<Witness> {
    const witness = new Witness(daemon, await RawConnection.open(daemon.socket));
    await witness.isServed();
    witness.#files = fdCount(daemon.pid);
    witness.#threads = threadCount(daemon.pid);
    witness.#resident = residentBytes(daemon.pid);
    return witness;
  }

  /** Waits for a call that began after this. */
  async isServed(): Promise<void> {
    const due = this.#served + 2;
    while (this.#served < due) {
      if (this.#stops) throw new Error("the witness is gone");
      await Promise.race([this.#working, new Promise((resolve) => setTimeout(resolve, 1))]);
    }
  }

  /** Expects that the daemon has at most so much more memory than when this began. */
  expectSmall(slackBytes: number): void {
    expect(residentBytes(this.#daemon.pid)).toBeLessThan(this.#resident + slackBytes);
  }

  /**
   * Ends, and expects that all its calls were answered, that the daemon has no more files
   * and threads than before, at most so much more memory, and found nothing to complain of.
   */
  async expectWell(slackBytes: number): Promise<void> {
    await this.isServed();
    this.#stops = true;
    await this.#working;
    await vi.waitFor(() => {
      const { pid } = this.#daemon;
      expect(fdCount(pid)).toBeLessThanOrEqual(this.#files);
      expect(threadCount(pid)).toBeLessThanOrEqual(this.#threads);
      this.expectSmall(slackBytes);
    }, SLOWLY);
    this.#connection.destroy();
    const said = this.#daemon.logs.slice(this.#lines);
    expect(said.filter(({ level }) => level !== "info")).toEqual([]);
  }

  async #work(): Promise<void> {
    while (!this.#stops) {
      const { status } = await this.#connection.call(RPC, frames(new Uint8Array(0)));
      if (status !== 0) throw new Error(`another client was answered with status ${status}`);
      this.#served += 1;
    }
  }
}
