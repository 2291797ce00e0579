import { z } from "zod";
import { absolutePath, oneOf, quote, truth, wholeNumber } from "./setting-forms.js";
import { parseTcpAddress } from "./tcp-address.js";

const HOST_ID = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
const LABEL_KEY =
  /^([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

const hostId = z.string().regex(HOST_ID, {
  error: (issue) =>
    `must be 1 to 253 letters, digits, ".", "_" and "-", first and last no sign, not ${quote(issue.input)}`,
});

/** As a list "key=value", which flags and variables have, or by key. */
const labels = z
  .union([z.array(z.string()), z.record(z.string(), z.string())], {
    error: "must be labels by key, or a list such as [zone=a, rack=7]",
  })
  .transform((given, context): Record<string, string> => {
    const pairs = Array.isArray(given) ? given.map(splitLabel) : Object.entries(given);
    for (const [key, value] of pairs) {
      if (value === undefined || value.length > 256 || !LABEL_KEY.test(key)) {
        context.addIssue(`has ${quote(key)}, which is no label: say key=value`);
      }
    }
    if (pairs.length > 64) context.addIssue("has more than 64 labels");
    return Object.fromEntries(pairs as [string, string][]);
  });

function splitLabel(text: string): [string, string | undefined] {
  const at = text.indexOf("=");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

const relayAddress = z
  .string()
  .refine((address) => address.startsWith("unix:/") || parseTcpAddress(address) !== undefined, {
    error: (issue) =>
      `must be "host:port", "[IPv6 address]:port" or "unix:/path", not ${quote(issue.input)}`,
  });

const tcpAddress = z.string().refine((address) => parseTcpAddress(address) !== undefined, {
  error: (issue) => `must be "host:port" or "[IPv6 address]:port", not ${quote(issue.input)}`,
});

const tls = z.strictObject({
  /** Certificates to trust, PEM. */
  ca: absolutePath,
  /** The own certificate chain, PEM. */
  cert: absolutePath,
  /** Its private key, PEM. */
  key: absolutePath,
  /** Lists of certificates that were revoked, PEM, of each authority of ca; absent for none. */
  crl: absolutePath.optional(),
  min_version: oneOf(["TLSv1.2", "TLSv1.3"]).default("TLSv1.3"),
});

const store = z
  .strictObject({
    /** Of the embedded store, where there are no etcd endpoints. */
    directory: absolutePath.default("/var/lib/bpfmapd/fleet"),
    etcd: z
      .strictObject({
        /** Client URLs of one cluster; none for the embedded store. */
        endpoints: z.array(z.string()).default([]),
        prefix: z.string().min(1).default("/bpfmap/fleet/"),
        /** Certificates to trust, PEM; absent for the system's. */
        ca: absolutePath.optional(),
        cert: absolutePath.optional(),
        key: absolutePath.optional(),
        /** A user of etcd's own, and the file that has its password. */
        user: z.string().min(1).optional(),
        password_file: absolutePath.optional(),
      })
      .prefault({}),
  })
  .prefault({});

/** What a daemon is in a fleet: a host, a relay, or both. Described in docs/fleet.md. */
export const fleetSettings = z
  .strictObject({
    /** Whether this daemon is its own fleet: host, relay and store in one process. */
    enabled: truth.default(false),
    /** The relays to dial, any of them at a time; none for a host of no fleet. */
    join: z.array(relayAddress).default([]),
    /** This host's id; absent for its name. */
    host_id: hostId.optional(),
    labels: labels.prefault({}),
    /** Where the host remembers the map sets that are for it; absent for "host" beside the store. */
    host_directory: absolutePath.optional(),
    /** How often a host compares its maps with their sets. */
    verify_ms: wholeNumber(100, 86_400_000).default(30_000),
    /** This relay's id; absent for the host's name. */
    relay_id: hostId.optional(),
    /** Where other relays reach this one; absent where there are none. */
    advertise: tcpAddress.optional(),
    /** How relays are dialed on TCP. */
    tls: tls.optional(),
    store,
    heartbeat_ms: wholeNumber(100, 600_000).default(5000),
    lease_s: wholeNumber(2, 3600).default(10),
    forget_after_s: wholeNumber(10, 86_400).default(86_400),
  })
  .prefault({})
  .superRefine(({ enabled, join, tls, advertise }, context) => {
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    if (enabled && join.length > 0) {
      refuse("join", "excludes enabled: a fleet of its own has its own relay");
    }
    const dials = [...join.filter((relay) => !relay.startsWith("unix:")), advertise];
    if (tls === undefined && dials.some((address) => address !== undefined)) {
      refuse("tls", "is missing: relays on TCP are dialed by TLS, with a certificate of one's own");
    }
  });

export type FleetSettings = z.output<typeof fleetSettings>;
