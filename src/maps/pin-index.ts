import { readdir, stat } from "node:fs/promises";
import { closeFd, isMapFd, KernelError, mapInfo, objGet } from "../kernel/index.js";
import { explainShortage } from "./explain.js";
import type { PinPaths } from "./pin-path.js";
import { Turns } from "./turns.js";

/**
 * Where each map is pinned inside the bpffs roots: paths by map id, sorted. The
 * daemon's own holds are not pins and are left out.
 */
export async function indexPins(pins: PinPaths): Promise<Map<number, string[]>> {
  const byId = new Map<number, string[]>();
  const turns = new Turns();
  for (const root of pins.roots) {
    for await (const path of filesBelow(root, pins, await deviceOf(root))) {
      const id = mapIdPinnedAt(path);
      if (id !== undefined) byId.set(id, [...(byId.get(id) ?? []), path]);
      await turns.yieldIfDue();
    }
  }
  for (const paths of byId.values()) paths.sort();
  return byId;
}

/** What vanished meanwhile, or a root that is not mounted, has no pins. */
function gone(error: unknown): undefined {
  const shortage = explainShortage(error, "the pins below the bpffs roots");
  if (shortage) throw shortage;
}

async function deviceOf(directory: string): Promise<number | undefined> {
  return (await stat(directory).catch(gone))?.dev;
}

async function* filesBelow(
  directory: string,
  pins: PinPaths,
  device: number | undefined,
): AsyncGenerator<string> {
  if (pins.isReserved(directory)) return;
  // What is mounted inside a root is not the root's: no reference can name its pins.
  if ((await deviceOf(directory)) !== device) return;
  for (const entry of (await readdir(directory, { withFileTypes: true }).catch(gone)) ?? []) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(path, pins, device);
    else if (entry.isFile()) yield path;
  }
}

function mapIdPinnedAt(path: string): number | undefined {
  let fd: number;
  try {
    fd = objGet(path);
  } catch (error) {
    if (error instanceof KernelError) return gone(error); // or no pin at all
    throw error;
  }
  try {
    return isMapFd(fd) ? mapInfo(fd).id : undefined;
  } finally {
    closeFd(fd);
  }
}
