/** A setting's names: path in the file, variable, and flag where it has one. */
export interface SettingName {
  readonly path: readonly string[];
  /** As commander takes it, such as "--socket <path>". */
  readonly flag?: string;
  /** What it is, for --help. */
  readonly help: string;
  /** How a variable or a flag, which are text, give it; "text" unless said. */
  readonly form?: "list" | "yaml";
  /** Another variable that gives it, common to many programs; its own goes over this one. */
  readonly commonVariable?: string;
}

/** Every setting but those that live inside a TCP listener. */
export const settingNames: readonly SettingName[] = [
  {
    path: ["listen", "unix", "path"],
    flag: "--socket <path>",
    help: "unix socket to serve on",
  },
  {
    path: ["listen", "unix", "directory_mode"],
    flag: "--socket-directory-mode <mode>",
    help: "mode of the socket's directory, where the daemon creates it",
  },
  { path: ["listen", "unix", "mode"], flag: "--socket-mode <mode>", help: "mode of the socket" },
  {
    path: ["listen", "unix", "group"],
    flag: "--socket-group <group>",
    help: "group of the socket and its directory, by name or number",
  },
  { path: ["listen", "tcp"], help: "TCP listeners, as YAML", form: "yaml" },
  {
    path: ["access", "policy"],
    flag: "--policy <file>",
    help: "who may do what to which map, YAML; TCP needs one",
  },
  {
    path: ["access", "tokens", "jwks"],
    flag: "--jwks <file>",
    help: "believe bearer tokens that a key of this JSON Web Key Set signed",
  },
  {
    path: ["access", "tokens", "issuer"],
    flag: "--token-issuer <issuer>",
    help: "issuer that tokens must name",
  },
  {
    path: ["access", "tokens", "audience"],
    flag: "--token-audience <audience>",
    help: "audience that tokens must name",
  },
  {
    path: ["audit", "file"],
    flag: "--audit-file <file>",
    help: "write a line for each change and each denied call, or stdout",
  },
  {
    path: ["audit", "keys"],
    flag: "--audit-keys <form>",
    help: "how keys stand in the audit: hex, sha256 or none",
  },
  {
    path: ["audit", "on_failure"],
    flag: "--audit-on-failure <what>",
    help: "what becomes of changes that cannot be audited: refuse or allow",
  },
  {
    path: ["bpffs", "roots"],
    flag: "--bpffs-root <directory>",
    help: "directory below which pins may be named; may be given again",
    form: "list",
  },
  {
    path: ["bpffs", "mount"],
    flag: "--bpffs-mount <true|false>",
    help: "mount a bpffs on a root where none is",
  },
  {
    path: ["bpffs", "hold_directory"],
    flag: "--hold-directory <directory>",
    help: "the daemon's own directory, inside a root",
  },
  {
    path: ["limits", "max_message_bytes"],
    flag: "--max-message-bytes <size>",
    help: "largest message that is accepted or sent",
  },
  {
    path: ["limits", "handshake_timeout_ms"],
    flag: "--handshake-timeout-ms <number>",
    help: "milliseconds that a connection has to begin with TLS and HTTP/2",
  },
  {
    path: ["limits", "max_call_ms"],
    flag: "--max-call-ms <number>",
    help: "longest time of a call that is no stream, in milliseconds",
  },
  {
    path: ["limits", "dedup_memory_bytes"],
    flag: "--dedup-memory-bytes <size>",
    help: "memory of one scan for telling duplicates",
  },
  {
    path: ["limits", "replace_memory_bytes"],
    flag: "--replace-memory-bytes <size>",
    help: "memory of one load that replaces or is a dry run",
  },
  {
    path: ["limits", "max_scans"],
    flag: "--max-scans <number>",
    help: "most dumps, loads, counts and clears at a time",
  },
  {
    path: ["limits", "scan_threads"],
    flag: "--scan-threads <number>",
    help: "threads that they share",
  },
  {
    path: ["limits", "record_queue_bytes"],
    flag: "--record-queue-bytes <size>",
    help: "records that are kept for one that reads them slowly and asks for no size",
  },
  {
    path: ["limits", "max_record_streams"],
    flag: "--max-record-streams <number>",
    help: "most streams of records at a time",
  },
  {
    path: ["limits", "max_record_maps"],
    flag: "--max-record-maps <number>",
    help: "most maps whose records are read at a time",
  },
  {
    path: ["limits", "record_threads"],
    flag: "--record-threads <number>",
    help: "threads that read records",
  },
  {
    path: ["watch", "max_watches"],
    flag: "--max-watches <number>",
    help: "most watches at a time",
  },
  {
    path: ["watch", "max_maps"],
    flag: "--max-watched-maps <number>",
    help: "most maps that are watched at a time",
  },
  {
    path: ["watch", "threads"],
    flag: "--watch-threads <number>",
    help: "threads that scans of watched maps share",
  },
  {
    path: ["watch", "cpu_percent"],
    flag: "--watch-cpu-percent <number>",
    help: "part of a CPU that scans of one map may take",
  },
  {
    path: ["watch", "history_bytes"],
    flag: "--watch-history-bytes <size>",
    help: "changes that are kept of each watched map",
  },
  {
    path: ["watch", "default_interval_ms"],
    flag: "--watch-interval-ms <number>",
    help: "milliseconds between scans where a watch asks for none",
  },
  {
    path: ["watch", "min_interval_ms"],
    flag: "--watch-min-interval-ms <number>",
    help: "shortest interval between scans, in milliseconds",
  },
  {
    path: ["watch", "traced_interval_ms"],
    flag: "--watch-traced-interval-ms <number>",
    help: "milliseconds between scans of a traced map where a watch asks for none",
  },
  {
    path: ["watch", "trace_ring_bytes"],
    flag: "--watch-trace-ring-bytes <size>",
    help: "ring buffer of the kernel for each traced map: a power of two",
  },
  {
    path: ["log", "level"],
    flag: "--log-level <level>",
    help: "trace, debug, info, warn, error or fatal",
  },
  { path: ["log", "format"], flag: "--log-format <format>", help: "json or pretty" },
  {
    path: ["metrics", "listen"],
    flag: "--metrics-listen <address>",
    help: "serve Prometheus metrics at host:port (loopback) or unix:/path",
  },
  {
    path: ["metrics", "maps"],
    flag: "--metrics-map <pattern>",
    help: "count the elements of maps of such a name; may be given again",
    form: "list",
  },
  {
    path: ["metrics", "max_maps"],
    flag: "--metrics-max-maps <number>",
    help: "most maps whose elements are counted",
  },
  {
    path: ["metrics", "maps_interval_ms"],
    flag: "--metrics-maps-interval-ms <number>",
    help: "milliseconds between two counts of these maps",
  },
  {
    path: ["tracing", "otlp_endpoint"],
    flag: "--otlp-endpoint <url>",
    help: "send OpenTelemetry traces to this OTLP receiver (OTEL_EXPORTER_OTLP_ENDPOINT)",
    commonVariable: "OTEL_EXPORTER_OTLP_ENDPOINT",
  },
  {
    path: ["capabilities"],
    flag: "--capability <name>",
    help: "keep this capability; needed or all for sets of them; may be given again",
    form: "list",
  },
  {
    path: ["fleet", "enabled"],
    flag: "--fleet [true|false]",
    help: "be a fleet of one: host, relay and store in one process",
  },
  {
    path: ["fleet", "join"],
    flag: "--join <relay>",
    help: "dial this relay, host:port or unix:/path; may be given again",
    form: "list",
  },
  { path: ["fleet", "host_id"], flag: "--host-id <id>", help: "this host's id in the fleet" },
  {
    path: ["fleet", "host_directory"],
    flag: "--host-directory <directory>",
    help: "where the host remembers the map sets that are for it",
  },
  {
    path: ["fleet", "verify_ms"],
    flag: "--fleet-verify-ms <number>",
    help: "how often the host compares its maps with their sets, in milliseconds",
  },
  {
    path: ["fleet", "labels"],
    flag: "--label <key=value>",
    help: "a label of this host; may be given again",
    form: "list",
  },
  { path: ["fleet", "relay_id"], flag: "--relay-id <id>", help: "this relay's id in the fleet" },
  {
    path: ["fleet", "advertise"],
    flag: "--advertise <address>",
    help: "where other relays reach this one, host:port",
  },
  {
    path: ["fleet", "tls", "ca"],
    flag: "--fleet-ca <file>",
    help: "certificates that relays' must be signed by, PEM",
  },
  {
    path: ["fleet", "tls", "cert"],
    flag: "--fleet-cert <file>",
    help: "certificate chain to dial relays with, PEM",
  },
  {
    path: ["fleet", "tls", "key"],
    flag: "--fleet-key <file>",
    help: "its private key, PEM",
  },
  {
    path: ["fleet", "tls", "crl"],
    flag: "--fleet-crl <file>",
    help: "revoked certificates of relays, PEM",
  },
  {
    path: ["fleet", "tls", "min_version"],
    flag: "--fleet-tls-min-version <version>",
    help: "TLSv1.2 or TLSv1.3",
  },
  {
    path: ["fleet", "store", "directory"],
    flag: "--store-directory <directory>",
    help: "directory of the embedded store",
  },
  {
    path: ["fleet", "store", "etcd", "endpoints"],
    flag: "--etcd <url>",
    help: "keep the fleet in this etcd, http(s)://host:port; may be given again",
    form: "list",
  },
  {
    path: ["fleet", "store", "etcd", "prefix"],
    flag: "--etcd-prefix <prefix>",
    help: "what all of the fleet's keys begin with in etcd",
  },
  { path: ["fleet", "store", "etcd", "ca"], flag: "--etcd-ca <file>", help: "etcd's CA, PEM" },
  {
    path: ["fleet", "store", "etcd", "cert"],
    flag: "--etcd-cert <file>",
    help: "certificate for etcd, PEM",
  },
  {
    path: ["fleet", "store", "etcd", "key"],
    flag: "--etcd-key <file>",
    help: "its private key, PEM",
  },
  { path: ["fleet", "store", "etcd", "user"], flag: "--etcd-user <name>", help: "etcd's user" },
  {
    path: ["fleet", "store", "etcd", "password_file"],
    flag: "--etcd-password-file <file>",
    help: "file with that user's password",
  },
  {
    path: ["fleet", "heartbeat_ms"],
    flag: "--fleet-heartbeat-ms <number>",
    help: "how often hosts give their relay a sign of life, in milliseconds",
  },
  {
    path: ["fleet", "lease_s"],
    flag: "--fleet-lease-s <number>",
    help: "seconds after which a relay that is gone is taken for gone",
  },
  {
    path: ["fleet", "forget_after_s"],
    flag: "--fleet-forget-after-s <number>",
    help: "seconds after which a host without a session is forgotten",
  },
  {
    path: ["shutdown_grace_ms"],
    flag: "--shutdown-grace-ms <number>",
    help: "milliseconds that calls have to end when the daemon stops",
  },
];

/** The variable of a setting, such as BPFMAPD_LISTEN_UNIX_PATH. */
export function variableOf({ path }: SettingName): string {
  return `BPFMAPD_${path.join("_").toUpperCase()}`;
}

/** The flag of a setting without its argument, such as "--socket". */
export function flagOf({ flag }: SettingName): string | undefined {
  return flag?.split(" ")[0];
}
