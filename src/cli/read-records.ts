import type { RecordsOptions } from "@bpfmapd/client";
import type { Command } from "commander";
import { CliError } from "./cli-error.js";
import type { CliContext } from "./context.js";
import { parseU32 } from "./grammar/number.js";

/** Options of the commands that read records. */
export interface ReadOptions {
  readonly count?: number;
  readonly fromNow?: boolean;
  readonly queue?: number;
}

/** What their --help has to say. */
export const EXCLUSIVE =
  "WARNING: what it prints is taken away from every other reader of the map, such as the " +
  "program's own agent, which loses it. Readers of the same daemon share: each sees everything.";

export function addReadOptions(command: Command): void {
  command
    .option("--count <number>", "stop after this many records", (text) => parseU32(text, "--count"))
    .option("--from-now", "begin with what is written from now on")
    .option(
      "--queue <size>",
      "what the daemon keeps while this reads too slowly, such as 64MiB",
      parseSize,
    );
}

/** The client's options for them. */
export function readOptions(context: CliContext, options: ReadOptions): RecordsOptions {
  return {
    exclusive: true,
    fromNow: options.fromNow ?? false,
    signal: context.signal,
    ...(options.queue !== undefined && { queueBytes: options.queue }),
  };
}

const UNITS: Readonly<Record<string, number>> = { "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

function parseSize(text: string): number {
  const [, amount, unit] = /^(\d+)(|KiB|MiB|GiB)$/.exec(text) ?? [];
  const bytes = Number(amount) * (UNITS[unit ?? ""] ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) {
    throw new CliError(`--queue: "${text}" is not a size: write it like 65536, 512KiB or 64MiB`);
  }
  return bytes;
}
