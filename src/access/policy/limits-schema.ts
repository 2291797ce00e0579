import { z } from "zod";
import type { LimitName } from "../limits/limits.js";

/** Under `limits`: what holds for those whose identities have no limits of their own. */
export const DEFAULT_LIMITS_KEY = "default";

const UNITS: Readonly<Record<string, number>> = {
  ...{ "": 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 },
};
const MAX_COUNT = 1_000_000_000;
const MAX_BYTES = 2 ** 50;

/** A limit, or "none". */
function limit(wanted: string, parse: (text: string) => number) {
  return z
    .union([z.string(), z.number()], { error: `must be ${wanted}, or none` })
    .transform((value, context): number => {
      const number = value === "none" ? Number.POSITIVE_INFINITY : parse(String(value));
      if (!Number.isNaN(number)) return number;
      context.addIssue(`must be ${wanted}, or none, not ${JSON.stringify(value)}`);
      return z.NEVER;
    })
    .optional();
}

function count(min: number) {
  return limit(`a whole number from ${min} to ${MAX_COUNT}`, (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    return number >= min && number <= MAX_COUNT ? number : Number.NaN;
  });
}

const bytes = limit("a size up to 1048576GiB, such as 16MiB", (text) => {
  const [, amount, unit = ""] = /^(\d+) ?(|KiB|MiB|GiB)$/.exec(text) ?? [];
  const number = Number(amount) * (UNITS[unit] ?? Number.NaN);
  return number <= MAX_BYTES ? number : Number.NaN;
});

/** The limits of one identity, as far as they are not the default's. */
export const limits = z.strictObject({
  connections: count(1),
  calls_per_second: count(1),
  elements_per_second: count(1),
  calls: count(1),
  streams: count(0),
  scans: count(0),
  watches: count(0),
  watched_maps: count(0),
  watched_bytes: bytes,
  record_streams: count(0),
  held_maps: count(0),
  bytes_in_flight: bytes,
} satisfies Record<LimitName, unknown>);

export type LimitsDocument = z.output<typeof limits>;
