import { Presets, SingleBar } from "cli-progress";
import type { Terminal } from "./terminal.js";

/** How long work may take before anything is shown of it. */
const PATIENCE_MS = 1000;
const REDRAW_MS = 250;

export interface ProgressOptions {
  /** What is being done, such as "exporting". */
  readonly label: string;
  /** How much there is to do; without it only amount and rate are shown. */
  readonly total?: number;
  /** What is counted; "elements" unless said. Undefined counts nothing. */
  readonly unit?: "elements" | "bytes";
  readonly stream: Terminal["stderr"];
}

/**
 * Shows on a terminal how far long work is, and how fast. Nothing is shown of work
 * that is done within a second, nor where the stream is no terminal.
 */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #startedAt = Date.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #bar: SingleBar | undefined;
  #done = 0;

  constructor(options: ProgressOptions) {
    this.#options = options;
    if (!options.stream.isTTY) return;
    this.#timer = setInterval(() => this.#redraw(), REDRAW_MS);
    this.#timer.unref();
  }

  /** Adds to what is done. */
  add(amount: number): void {
    this.#done += amount;
  }

  /** Removes the line, so that what is printed next stands alone. */
  stop(): void {
    clearInterval(this.#timer);
    this.#bar?.stop();
  }

  #redraw(): void {
    if (Date.now() - this.#startedAt < PATIENCE_MS) return;
    this.#bar ??= this.#start();
    this.#bar.update(this.#done);
  }

  #start(): SingleBar {
    const { label, total, stream, unit = "elements" } = this.#options;
    const bar = new SingleBar(
      {
        stream,
        clearOnComplete: true,
        hideCursor: true,
        format: (_options, { value }, _payload) =>
          progressText({
            label,
            unit,
            done: value,
            total,
            seconds: (Date.now() - this.#startedAt) / 1000,
          }),
      },
      Presets.legacy,
    );
    // A total of 0 would count as complete at once.
    bar.start(total ?? Number.MAX_SAFE_INTEGER, this.#done);
    return bar;
  }
}

const BAR_WIDTH = 24;

/** The line that is shown, such as "exporting  1,200,000 elements  400,000/s  3s". */
export function progressText(state: {
  label: string;
  unit: "elements" | "bytes";
  done: number;
  total: number | undefined;
  seconds: number;
}): string {
  const { label, unit, done, total, seconds } = state;
  const elapsed = `${Math.round(seconds)}s`;
  if (done === 0 && total === undefined) return `${label}  ${elapsed}`;
  const rate = done / Math.max(seconds, 0.001);
  const parts = [label];
  if (total !== undefined && total > 0) {
    const share = Math.min(1, done / total);
    const filled = Math.round(share * BAR_WIDTH);
    parts.push(`[${"=".repeat(filled)}${" ".repeat(BAR_WIDTH - filled)}]`);
    parts.push(`${Math.floor(share * 100)}%`);
  }
  parts.push(unit === "bytes" ? megabytes(done) : `${grouped(done)} elements`);
  parts.push(unit === "bytes" ? `${megabytes(rate)}/s` : `${grouped(rate)}/s`);
  parts.push(elapsed);
  return parts.join("  ");
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
