import { withArena } from "../arena.js";
import { cString } from "../c-string.js";
import { errnoName, KernelError } from "../errno.js";
import { ifIndextoname, ifNametoindex } from "../libc.js";

const IF_NAMESIZE = 16;

/** Number of a network interface in this network namespace; undefined where there is none. */
export function interfaceIndex(name: string): number | undefined {
  const result = ifNametoindex(name);
  return result > 0 ? result : absent(result, "if_nametoindex");
}

/** Name of a network interface in this network namespace; undefined where there is none. */
export function interfaceName(index: number): string | undefined {
  return withArena(IF_NAMESIZE, (name) => {
    const result = ifIndextoname(index, name.address);
    if (result < 0) return absent(result, "if_indextoname");
    return cString(name.bytes.subarray(0, IF_NAMESIZE));
  });
}

function absent(result: number, call: string): undefined {
  const errno = errnoName(-result);
  if (errno === "ENODEV" || errno === "ENXIO") return undefined;
  throw new KernelError(errno, call);
}
