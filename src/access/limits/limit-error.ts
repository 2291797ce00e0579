import { MapError } from "../../maps/index.js";
import type { LimitName } from "./limits.js";

/** What a caller has reached, for people, and what it can do about it. */
const EXPLANATIONS: Readonly<Record<LimitName, readonly [what: string, remedy: string]>> = {
  connections: ["connections at a time", "close some first"],
  calls_per_second: ["calls a second", "call again later, or gather elements into fewer calls"],
  elements_per_second: ["written elements a second", "write again later"],
  calls: ["calls at a time", "call again when others have their answers"],
  streams: ["streams at a time", "end some first"],
  scans: ["dumps, loads, counts and clears at a time", "try again when one has ended"],
  watches: ["watches at a time", "end some first"],
  watched_maps: ["watched maps at a time", "end some watches first"],
  watched_bytes: ["bytes of maps that it watches", "watch fewer or smaller maps"],
  record_streams: ["streams of records at a time", "end some first"],
  held_maps: ["holds", "release some first"],
  bytes_in_flight: [
    "bytes of requests and answers at a time",
    "read answers, and send less at once",
  ],
};

/**
 * CALLER_LIMIT_EXCEEDED: a caller has as much as it may. Says which limit, whose, and its value.
 *
 * @param retryAfterMs when it is worth to try again, where it is enough to wait
 */
export function limitError(
  caller: string,
  limit: LimitName,
  value: number,
  retryAfterMs?: number,
): MapError {
  const [what, remedy] = EXPLANATIONS[limit];
  return new MapError(
    "CALLER_LIMIT_EXCEEDED",
    `${caller} has reached its limit of ${value} ${what} (${limit}): ${remedy}, or have the limit raised under limits in the policy`,
    { metadata: { limit, value: String(value), caller }, retryAfterMs },
  );
}
