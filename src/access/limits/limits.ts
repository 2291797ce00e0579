const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/**
 * How much one caller may take, over all its connections; infinite where there is no limit.
 * The names are those of the policy file; docs/security.md tells what each counts.
 */
export interface Limits {
  /** Connections at a time. */
  readonly connections: number;
  /** Calls that begin within a second; as many may come at once. */
  readonly calls_per_second: number;
  /** Elements that calls write within a second. */
  readonly elements_per_second: number;
  /** Calls at a time that are served, streams included. */
  readonly calls: number;
  /** Streams at a time. */
  readonly streams: number;
  /** Dumps, loads, counts and clears at a time. */
  readonly scans: number;
  /** Watches at a time. */
  readonly watches: number;
  /** Maps that are watched at a time. */
  readonly watched_maps: number;
  /** Bytes that the daemon keeps of the contents of the maps that it watches. */
  readonly watched_bytes: number;
  /** Streams of records at a time, in either direction. */
  readonly record_streams: number;
  /** Holds that it has made and that have not ended. */
  readonly held_maps: number;
  /** Bytes of requests that are served, and of answers that have not left. */
  readonly bytes_in_flight: number;
}

export type LimitName = keyof Limits;

/**
 * What a caller may take where the policy does not tell. Generous: one that is alone on a host
 * should never meet them. Of what the daemon bounds for all callers together, one can take
 * three quarters of the default (limits.max_scans, limits.max_record_streams, watch.max_maps).
 */
export const DEFAULT_LIMITS: Limits = {
  connections: 1024,
  calls_per_second: Number.POSITIVE_INFINITY,
  elements_per_second: Number.POSITIVE_INFINITY,
  calls: 10_000,
  streams: 5000,
  scans: 48,
  watches: 5000,
  watched_maps: 192,
  watched_bytes: 4 * GIB,
  record_streams: 192,
  held_maps: 4096,
  bytes_in_flight: 256 * MIB,
};
