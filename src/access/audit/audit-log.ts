import { closeSync, openSync, write } from "node:fs";

/** Where the audit goes, and what happens when it cannot. */
export interface AuditLogOptions {
  /** A file that lines are added to, or "stdout". */
  readonly file: string;
  /** Told when lines cannot be written, and when they can again. */
  readonly onTrouble: (error: Error) => void;
  readonly onRecovered: (lost: number) => void;
}

/** Lines that wait for a file that cannot be written; the oldest go first. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
/** A write that takes longer counts as failed for those who wait for it. */
const SLOW_MS = 2000;
const RETRY_MS = 500;
const STDOUT = 1;

/**
 * Adds lines to a file, all that have come meanwhile with one write. A line that cannot
 * be written is kept and tried again, and {@link isFailing} says so until it is written.
 */
export class AuditLog {
  readonly #options: AuditLogOptions;
  #fd: number;
  #lines: Buffer[] = [];
  #keptBytes = 0;
  #lost = 0;
  /** What of the write before is still to be written: a line may not be torn. */
  #rest: Buffer | undefined;
  #isWriting = false;
  /** Files to be closed after the write that runs. */
  readonly #outdated: number[] = [];
  #failure: Error | undefined;
  #waiting: (() => void)[] = [];
  #retry: NodeJS.Timeout | undefined;

  /** Throws where the file cannot be opened. */
  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#fd = this.#open();
  }

  /** Whether the last lines could not be written. */
  get isFailing(): boolean {
    return this.#failure !== undefined;
  }

  /** Adds a line; settles when it is written, or cannot be for now. */
  add(line: object): Promise<void> {
    this.#keep(Buffer.from(`${JSON.stringify(line)}\n`));
    return this.#settled();
  }

  /** Opens the file anew, after it was moved away. */
  reopen(): void {
    let fd: number;
    try {
      fd = this.#open();
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    const old = this.#fd;
    this.#fd = fd;
    // A write that runs has the old number: it must not come to mean another file.
    if (this.#isWriting) this.#outdated.push(old);
    else closeFile(old);
    this.#flush();
  }

  /** Writes what is left, if that is possible now. */
  async close(): Promise<void> {
    await this.#settled();
    clearTimeout(this.#retry);
    if (!this.#isWriting) closeFile(this.#fd);
  }

  #open(): number {
    const { file } = this.#options;
    return file === "stdout" ? STDOUT : openSync(file, "a", 0o600);
  }

  #keep(line: Buffer): void {
    this.#lines.push(line);
    this.#keptBytes += line.length;
    while (this.#keptBytes > MAX_KEPT_BYTES) {
      this.#keptBytes -= this.#lines.shift()?.length ?? 0;
      this.#lost++;
    }
  }

  /** Settles after the write that has what was added till now. */
  #settled(): Promise<void> {
    if (!this.#rest && this.#lines.length === 0 && !this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => {
      const slow = setTimeout(() => {
        this.#fail(new Error(`a write to ${this.#options.file} takes longer than ${SLOW_MS} ms`));
      }, SLOW_MS);
      this.#waiting.push(() => {
        clearTimeout(slow);
        resolve();
      });
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isWriting) return;
    const batch = this.#rest ?? Buffer.concat(this.#lines);
    if (batch.length === 0) {
      this.#release();
      return;
    }
    if (!this.#rest) {
      this.#lines = [];
      this.#keptBytes = 0;
    }
    this.#rest = batch;
    this.#isWriting = true;
    write(this.#fd, batch, 0, batch.length, null, (error, written) => {
      this.#isWriting = false;
      for (const fd of this.#outdated.splice(0)) closeFile(fd);
      const rest = batch.subarray(error ? 0 : written);
      this.#rest = rest.length > 0 ? rest : undefined;
      if (error) this.#fail(error);
      else if (this.#rest || this.#lines.length > 0) this.#flush();
      else this.#recover();
    });
  }

  #fail(error: Error): void {
    if (!this.#failure) this.#options.onTrouble(error);
    this.#failure = error;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#flush(), RETRY_MS).unref();
    this.#release();
  }

  #recover(): void {
    if (this.#failure) this.#options.onRecovered(this.#lost);
    this.#failure = undefined;
    this.#lost = 0;
    clearTimeout(this.#retry);
    this.#release();
  }

  #release(): void {
    for (const settle of this.#waiting.splice(0)) settle();
  }
}

function closeFile(fd: number): void {
  if (fd !== STDOUT) closeSync(fd);
}
