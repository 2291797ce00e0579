import { isAbsolute, normalize } from "node:path";
import { z } from "zod";

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
const UNITS: Readonly<Record<string, number>> = { "": 1, KiB: KIB, MiB: MIB, GiB: GIB };
export const DAY_MS = 86_400_000;

export const absolutePath = z
  .string()
  .refine((path) => isAbsolute(path) && normalize(path) === path && !path.includes("\0"), {
    error: (issue) => `must be an absolute path without "." and "..", not ${quote(issue.input)}`,
  });

/** Kernels take paths of unix sockets up to 107 bytes (sun_path). */
export const socketPath = absolutePath.refine((path) => Buffer.byteLength(path) <= 107, {
  error: "is longer than the 107 bytes that the kernel allows for a unix socket",
});

// Variables and flags are text, so numbers and truth values are taken as text too.

/** A file mode. People mean octal digits, and YAML reads unquoted ones as a decimal number. */
export const fileMode = parsed("three octal digits such as 0750", (text) =>
  /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : undefined,
);

/** A number of bytes, or one with a unit: 1048576, "512KiB", "16MiB", "1GiB". */
export function byteSize(min: number, max: number) {
  const wanted = `a size from ${tellSize(min)} to ${tellSize(max)}, such as 16MiB`;
  return parsed(wanted, (text) => {
    const [, amount, unit] = /^(\d+) ?(|KiB|MiB|GiB)$/.exec(text) ?? [];
    const bytes = Number(amount) * (UNITS[unit ?? ""] ?? Number.NaN);
    return bytes >= min && bytes <= max ? bytes : undefined;
  });
}

/** A whole number in this range. */
export function wholeNumber(min: number, max: number) {
  return parsed(`a whole number from ${min} to ${max}`, (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    return number >= min && number <= max ? number : undefined;
  });
}

export const truth = parsed("true or false", (text) =>
  text === "true" || text === "false" ? text === "true" : undefined,
);

function parsed<T>(wanted: string, parse: (text: string) => T | undefined) {
  const error = (issue: { input?: unknown }) => `must be ${wanted}, not ${quote(issue.input)}`;
  return z
    .union([z.string(), z.number(), z.boolean()], { error })
    .transform((value, context): T => {
      const result = parse(String(value));
      if (result !== undefined) return result;
      context.addIssue(error({ input: value }));
      return z.NEVER;
    });
}

/** One of these words. */
export function oneOf<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, {
    error: (issue) => `must be one of ${values.join(", ")}, not ${quote(issue.input)}`,
  });
}

/** A value in a message. */
export function quote(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

function tellSize(bytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"]) {
    const size = UNITS[unit] ?? 1;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}`;
}
