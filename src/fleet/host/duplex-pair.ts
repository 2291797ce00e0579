import { Duplex } from "node:stream";

/** One end of a connection inside the process: what is written here is read at the other end. */
class PairedEnd extends Duplex {
  other: PairedEnd | undefined;
  /** Goes on with what the other end writes, when this one is read again. */
  #resume: (() => void) | undefined;

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.other?.accept(chunk, done);
  }

  override _final(done: () => void): void {
    this.other?.accept(null, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { other } = this;
    this.other = undefined;
    done(error);
    if (other && !other.destroyed) setImmediate(() => other.destroy());
  }

  accept(chunk: Buffer | null, done: () => void): void {
    if (this.destroyed) {
      done();
      return;
    }
    // Where it has ended, nobody comes to read on.
    if (this.push(chunk) || chunk === null) done();
    else this.#resume = done;
  }
}

/** Two ends of a connection inside the process, as of a socket. Node.js has its own from 20.17 on. */
export function duplexPair(): [Duplex, Duplex] {
  const [one, other] = [new PairedEnd(), new PairedEnd()];
  one.other = other;
  other.other = one;
  return [one, other];
}
