import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Ids of the maps that a process has open, once for each fd, ascending. */
export function openMaps(pid: number): number[] {
  const ids: number[] = [];
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    if (linkOf(pid, fd) !== "anon_inode:bpf-map") continue;
    const id = /^map_id:\s*(\d+)$/m.exec(textOf(`/proc/${pid}/fdinfo/${fd}`))?.[1];
    if (id !== undefined) ids.push(Number(id));
  }
  return ids.sort((a, b) => a - b);
}

/** File descriptors that a process has open. */
export function fdCount(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Threads of a process. */
export function threadCount(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length;
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return pages * 4096;
}

/** All that lies in a bpffs, as paths below it, but for the two files that the kernel puts there. */
export function pinTree(bpffs: string, below = ""): string[] {
  const entries = readdirSync(bpffs + below, { withFileTypes: true });
  return entries
    .filter(({ name }) => !name.endsWith(".debug"))
    .flatMap((entry) => {
      const path = `${below}/${entry.name}`;
      return entry.isDirectory() ? [path, ...pinTree(bpffs, path)] : [path];
    })
    .sort();
}

function linkOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return ""; // closed meanwhile
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // closed meanwhile
  }
}
