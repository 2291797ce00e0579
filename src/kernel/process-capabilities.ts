import { readFileSync } from "node:fs";

/** Bit numbers of include/uapi/linux/capability.h that matter to maps. */
const BITS = { CAP_NET_ADMIN: 12, CAP_SYS_ADMIN: 21, CAP_SYS_RESOURCE: 24, CAP_BPF: 39 } as const;

/** A capability by name. */
export type Capability = keyof typeof BITS;

/** Which of the capabilities that matter to maps this process has in effect. */
export function effectiveCapabilities(): ReadonlySet<Capability> {
  const status = readFileSync("/proc/self/status", "latin1");
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  const names = Object.keys(BITS) as Capability[];
  return new Set(names.filter((name) => mask & (1n << BigInt(BITS[name]))));
}
