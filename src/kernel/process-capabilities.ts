import { readFileSync } from "node:fs";

/** Bit numbers of include/uapi/linux/capability.h, of those that any work here may need. */
const BITS = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_DAC_READ_SEARCH: 2,
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_ADMIN: 12,
  CAP_IPC_LOCK: 14,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_RESOURCE: 24,
  CAP_SYSLOG: 34,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const;

/** A capability by name. */
export type Capability = keyof typeof BITS;

/** Which of the capabilities that have a name here this process has in effect. */
export function effectiveCapabilities(): ReadonlySet<Capability> {
  const mask = capabilityMask("CapEff");
  const names = Object.keys(BITS) as Capability[];
  return new Set(names.filter((name) => mask & maskOf([name])));
}

/** One set of the calling thread's capabilities as a mask, those without a name here too. */
export function capabilityMask(set: "CapEff" | "CapPrm"): bigint {
  const status = readFileSync("/proc/thread-self/status", "latin1");
  const digits = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1];
  return BigInt(`0x${digits ?? "0"}`);
}

/** Capabilities as a mask. */
export function maskOf(names: Iterable<Capability>): bigint {
  let mask = 0n;
  for (const name of names) mask |= 1n << BigInt(BITS[name]);
  return mask;
}
