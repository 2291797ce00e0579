import { readdir, readFile, readlink } from "node:fs/promises";
import type { Holder } from "./map-record.js";

/** Processes that have each map open, by map id, ascending by pid. Walks all of /proc. */
export async function indexHolders(): Promise<Map<number, Holder[]>> {
  const byId = new Map<number, Holder[]>();
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const ids = await mapIdsOpenIn(entry);
    if (ids.size === 0) continue;
    const holder = { pid: Number(entry), comm: await commOf(entry) };
    for (const id of ids) byId.set(id, [...(byId.get(id) ?? []), holder]);
  }
  for (const holders of byId.values()) holders.sort((a, b) => a.pid - b.pid);
  return byId;
}

/** Everything in /proc can vanish between two looks; what is gone holds no map. */
const gone = () => undefined;

async function mapIdsOpenIn(pid: string): Promise<Set<number>> {
  const ids = new Set<number>();
  for (const fd of (await readdir(`/proc/${pid}/fd`).catch(gone)) ?? []) {
    if ((await readlink(`/proc/${pid}/fd/${fd}`).catch(gone)) !== "anon_inode:bpf-map") continue;
    const fdinfo = await readFile(`/proc/${pid}/fdinfo/${fd}`, "latin1").catch(gone);
    const id = /^map_id:\s*(\d+)$/m.exec(fdinfo ?? "")?.[1];
    if (id !== undefined) ids.add(Number(id));
  }
  return ids;
}

async function commOf(pid: string): Promise<string> {
  return ((await readFile(`/proc/${pid}/comm`, "utf8").catch(gone)) ?? "").trimEnd();
}
