/** A setting's names: path in the file, variable, and flag where it has one. */
export interface SettingName {
  readonly path: readonly string[];
  /** As commander takes it, such as "--socket <path>". */
  readonly flag?: string;
  /** What it is, for --help. */
  readonly help: string;
  /** How a variable or a flag, which are text, give it; "text" unless said. */
  readonly form?: "list" | "yaml";
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
