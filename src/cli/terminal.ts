import type { Readable, Writable } from "node:stream";
import type { Output } from "./output.js";

/** How much a terminal shows. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** What the command line reads and writes: the process's own streams, or a test's. */
export interface Terminal {
  readonly out: Output;
  /** Whether standard output is a terminal, so that a person reads it. */
  readonly isTerminal: boolean;
  /** Lines and columns of the terminal now; undefined where it is none. */
  readonly size?: () => TerminalSize | undefined;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly env: NodeJS.ProcessEnv;
  /** Fires when the user interrupts. */
  readonly signal: AbortSignal;
}
