import { closeSync, readFileSync, readlinkSync } from "node:fs";

/** Closes an fd of this floor. */
export function closeFd(fd: number): void {
  closeSync(fd);
}

/** Whether the fd is a map's; a pin may also be a program's, a link's or a BTF object's. */
export function isMapFd(fd: number): boolean {
  return readlinkSync(`/proc/self/fd/${fd}`) === "anon_inode:bpf-map";
}

/** What only fdinfo tells of a map; each is absent where this kernel does not say. */
export interface MapFdinfo {
  readonly memlockBytes?: number;
  readonly frozen?: boolean;
  readonly ownerProgType?: number;
  readonly ownerJited?: boolean;
}

/** Reads /proc/self/fdinfo of a map's fd (kernel/bpf/syscall.c, bpf_map_show_fdinfo). */
export function mapFdinfo(fd: number): MapFdinfo {
  const fields = new Map<string, number>();
  for (const line of readFileSync(`/proc/self/fdinfo/${fd}`, "latin1").split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon), Number(line.slice(colon + 1)));
  }
  const memlockBytes = fields.get("memlock");
  const frozen = fields.get("frozen");
  const ownerProgType = fields.get("owner_prog_type");
  const ownerJited = fields.get("owner_jited");
  return {
    ...(memlockBytes !== undefined && { memlockBytes }),
    ...(frozen !== undefined && { frozen: frozen === 1 }),
    ...(ownerProgType !== undefined && { ownerProgType }),
    ...(ownerJited !== undefined && { ownerJited: ownerJited === 1 }),
  };
}
