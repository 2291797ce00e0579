import type { Capability } from "../kernel/index.js";
import type { Config } from "./config.js";
import { parseTcpAddress } from "./tcp-address.js";

/** What each is for stands in docs/configuration.md; test/daemon/least-privilege.test.ts tries it. */
const FOR_MAPS: readonly Capability[] = [
  "CAP_SYS_ADMIN",
  "CAP_BPF",
  "CAP_NET_ADMIN",
  "CAP_PERFMON",
  "CAP_DAC_OVERRIDE",
  "CAP_SYS_PTRACE",
  "CAP_SYSLOG",
];

const FIRST_UNPRIVILEGED_PORT = 1024;

/** What the program is run as. */
export type Role = "serve" | "relay";

/** The capabilities that a daemon with these settings keeps; undefined for all. */
export function capabilitiesToKeep(
  config: Config,
  role: Role = "serve",
): ReadonlySet<Capability> | undefined {
  const kept = new Set<Capability>();
  for (const word of config.capabilities) {
    if (word === "all") return undefined;
    for (const name of word === "needed" ? neededCapabilities(config, role) : [word])
      kept.add(name);
  }
  return kept;
}

function neededCapabilities({ listen }: Config, role: Role): Capability[] {
  const needed = role === "serve" ? [...FOR_MAPS] : [];
  if (listen.unix.group !== undefined) needed.push("CAP_CHOWN");
  const ports = listen.tcp.map(({ address }) => parseTcpAddress(address)?.port ?? 0);
  if (ports.some((port) => port > 0 && port < FIRST_UNPRIVILEGED_PORT)) {
    needed.push("CAP_NET_BIND_SERVICE");
  }
  return needed;
}
