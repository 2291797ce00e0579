import { availableParallelism } from "node:os";
import { z } from "zod";
import type { Capability } from "../kernel/index.js";
import { fleetSettings } from "./fleet-settings.js";
import {
  absolutePath,
  byteSize,
  DAY_MS,
  fileMode,
  GIB,
  KIB,
  MIB,
  oneOf,
  quote,
  socketPath,
  truth,
  wholeNumber,
} from "./setting-forms.js";
import { isLoopback, parseTcpAddress } from "./tcp-address.js";

const tls = z.strictObject({
  /** Certificate chain, PEM. */
  cert: absolutePath,
  /** Its private key, PEM. */
  key: absolutePath,
  /** Certificates, PEM, of which one must have signed a client's; absent to ask clients for none. */
  client_ca: absolutePath.optional(),
  /** Lists of certificates that were revoked, PEM, of each authority of client_ca; absent for none. */
  client_crl: absolutePath.optional(),
  min_version: oneOf(["TLSv1.2", "TLSv1.3"]).default("TLSv1.3"),
});

const tcpListener = z
  .strictObject({
    /** "host:port" or "[IPv6 address]:port"; port 0 for one that the kernel chooses. */
    address: z.string().refine((address) => parseTcpAddress(address) !== undefined, {
      error: (issue) => `must be "host:port" or "[IPv6 address]:port", not ${quote(issue.input)}`,
    }),
    tls: tls.optional(),
    plaintext: truth.default(false),
  })
  .superRefine(({ address, tls, plaintext }, context) => {
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    if (tls?.client_crl !== undefined && tls.client_ca === undefined) {
      refuse("tls", "has a client_crl without the client_ca whose certificates it revokes");
    }
    if (tls !== undefined && plaintext) refuse("plaintext", "excludes tls: give one of the two");
    if (tls === undefined && !plaintext) {
      refuse("tls", "is missing: TCP needs tls, or plaintext: true on a loopback address");
    }
    const host = parseTcpAddress(address)?.host;
    if (plaintext && host !== undefined && !isLoopback(host)) {
      refuse(
        "plaintext",
        `is only allowed on 127.0.0.0/8, [::1] and localhost, not on ${quote(host)}: ` +
          "anybody on the way could read and change maps",
      );
    }
  });

/** Who may read metrics is not asked, so they go nowhere but to this host. */
const metricsAddress = z.string().superRefine((address, context) => {
  const refuse = (message: string) => context.addIssue({ code: "custom", message });
  if (address.startsWith("unix:")) {
    const path = socketPath.safeParse(address.slice("unix:".length));
    for (const { message } of path.error?.issues ?? []) refuse(message);
    return;
  }
  const host = parseTcpAddress(address)?.host;
  if (host === undefined) {
    refuse(`must be "host:port", "[IPv6 address]:port" or "unix:/path", not ${quote(address)}`);
  } else if (!isLoopback(host)) {
    refuse(
      `is only allowed on 127.0.0.0/8, [::1], localhost and unix sockets, not on ${quote(host)}: ` +
        "anybody could read it; put a proxy that asks who they are in front",
    );
  }
});

/** Kernels keep 15 bytes of a map's name; a pattern may be longer, but not without end. */
const nameGlob = z.string().min(1, "must not be empty").max(256, "has more than 256 characters");

const httpUrl = z.string().refine((text) => /^https?:$/.test(protocolOf(text)), {
  error: (issue) => `must be a URL such as http://127.0.0.1:4318, not ${quote(issue.input)}`,
});

/** Beside the words for sets of them. Only names: this file must not load the kernel floor. */
const CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_ADMIN",
  "CAP_IPC_LOCK",
  "CAP_SYS_PTRACE",
  "CAP_SYS_ADMIN",
  "CAP_SYS_RESOURCE",
  "CAP_SYSLOG",
  "CAP_PERFMON",
  "CAP_BPF",
] as const satisfies readonly Capability[];

/** Who is believed, and what for. */
const access = z.strictObject({
  /** The policy file; absent where all who reach the unix socket may do everything. */
  policy: absolutePath.optional(),
  tokens: z
    .strictObject({
      /** JSON Web Key Set; absent where bearer tokens prove nothing. */
      jwks: absolutePath.optional(),
      issuer: z.string().min(1).optional(),
      audience: z.string().min(1).optional(),
    })
    .prefault({}),
});

/**
 * Everything that can be set, with its default: the one schema for the file, the
 * environment and the flags. Described for people in docs/configuration.md.
 */
const settings = z.strictObject({
  listen: z
    .strictObject({
      unix: z
        .strictObject({
          path: socketPath.default("/run/bpfmapd/bpfmapd.sock"),
          directory_mode: fileMode.default(0o750),
          mode: fileMode.default(0o660),
          group: z.string().min(1).optional(),
        })
        .prefault({}),
      tcp: z.array(tcpListener).default([]),
    })
    .prefault({}),
  access: access.prefault({}),
  audit: z
    .strictObject({
      /** A file, or "stdout"; absent for no audit. */
      file: z.union([z.literal("stdout"), absolutePath]).optional(),
      keys: oneOf(["hex", "sha256", "none"]).default("hex"),
      on_failure: oneOf(["refuse", "allow"]).default("refuse"),
    })
    .prefault({}),
  bpffs: z
    .strictObject({
      roots: z
        .array(absolutePath)
        .min(1, "must name at least one directory")
        .default(["/sys/fs/bpf"]),
      mount: truth.default(true),
      hold_directory: absolutePath.optional(),
    })
    .prefault({}),
  limits: z
    .strictObject({
      max_message_bytes: byteSize(64 * KIB, GIB).default(16 * MIB),
      handshake_timeout_ms: wholeNumber(100, 3_600_000).default(10_000),
      max_call_ms: wholeNumber(100, 86_400_000).default(600_000),
      dedup_memory_bytes: byteSize(MIB, 1024 * GIB).default(256 * MIB),
      replace_memory_bytes: byteSize(MIB, 1024 * GIB).default(GIB),
      max_scans: wholeNumber(1, 10_000).default(64),
      scan_threads: wholeNumber(1, 64).default(Math.min(4, availableParallelism())),
      record_queue_bytes: byteSize(64 * KIB, 256 * MIB).default(16 * MIB),
      max_record_streams: wholeNumber(0, 100_000).default(256),
      max_record_maps: wholeNumber(0, 10_000).default(64),
      record_threads: wholeNumber(1, 64).default(1),
    })
    .prefault({}),
  watch: z
    .strictObject({
      max_watches: wholeNumber(0, 1_000_000).default(10_000),
      max_maps: wholeNumber(0, 100_000).default(256),
      threads: wholeNumber(1, 64).default(1),
      cpu_percent: wholeNumber(1, 100).default(40),
      history_bytes: byteSize(64 * KIB, 1024 * GIB).default(16 * MIB),
      default_interval_ms: wholeNumber(10, 3_600_000).default(1000),
      min_interval_ms: wholeNumber(10, 3_600_000).default(10),
      traced_interval_ms: wholeNumber(10, 3_600_000).default(10_000),
      trace_ring_bytes: byteSize(64 * KIB, GIB)
        .refine((bytes) => Number.isInteger(Math.log2(bytes)), "must be a power of two")
        .default(8 * MIB),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: oneOf(["trace", "debug", "info", "warn", "error", "fatal"]).default("info"),
      format: oneOf(["json", "pretty"]).default("json"),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      /** Where Prometheus reads; absent for no metrics at all. */
      listen: metricsAddress.optional(),
      maps: z.array(nameGlob).default([]),
      max_maps: wholeNumber(1, 10_000).default(100),
      maps_interval_ms: wholeNumber(1000, DAY_MS).default(60_000),
    })
    .prefault({}),
  tracing: z
    .strictObject({
      /** Base URL of an OTLP receiver (HTTP with protobuf); absent for no traces at all. */
      otlp_endpoint: httpUrl.optional(),
    })
    .prefault({}),
  /** What the daemon keeps of its capabilities; see needed-capabilities.ts for "needed". */
  capabilities: z.array(oneOf(["needed", "all", ...CAPABILITIES])).default(["needed"]),
  fleet: fleetSettings,
  shutdown_grace_ms: wholeNumber(0, DAY_MS).default(10_000),
});

/** The settings with what they demand of each other: nobody is served over TCP unknown. */
export const settingsSchema = settings.superRefine(({ listen, access, fleet }, context) => {
  if (access.policy === undefined && fleet.join.some((relay) => !relay.startsWith("unix:"))) {
    context.addIssue({
      code: "custom",
      path: ["fleet", "join"],
      message: "needs access.policy: by a relay nobody may do anything unless a rule says so",
    });
  }
  for (const [index, { tls }] of listen.tcp.entries()) {
    const refuse = (message: string) =>
      context.addIssue({ code: "custom", path: ["listen", "tcp", index], message });
    if (access.policy === undefined) {
      refuse("needs access.policy: over TCP nobody may do anything unless a rule says so");
    }
    if (tls?.client_ca === undefined && access.tokens.jwks === undefined) {
      refuse("needs tls.client_ca or access.tokens.jwks: nobody could prove who they are");
    }
  }
});

/** The daemon's effective settings. */
export type Settings = z.output<typeof settingsSchema>;
export type TcpListenerSettings = Settings["listen"]["tcp"][number];
export type UnixListenerSettings = Settings["listen"]["unix"];

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : "";
}
