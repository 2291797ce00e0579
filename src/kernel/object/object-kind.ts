import { readlinkSync } from "node:fs";

/** What an fd of bpf(2) stands for. */
export type ObjectKind = "map" | "program" | "link" | "btf";

const KINDS: ReadonlyMap<string, ObjectKind> = new Map([
  ["anon_inode:bpf-map", "map"],
  ["anon_inode:bpf-prog", "program"],
  ["anon_inode:bpf-link", "link"],
  ["anon_inode:bpf_link", "link"],
  ["anon_inode:btf", "btf"],
]);

/** What an fd stands for, such as one that came from a pin; undefined for anything else. */
export function objectKind(fd: number): ObjectKind | undefined {
  return KINDS.get(readlinkSync(`/proc/self/fd/${fd}`));
}
