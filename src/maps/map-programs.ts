import {
  closeFd,
  KernelError,
  programGetFdById,
  programInfo,
  programNextId,
} from "../kernel/index.js";
import type { ProgramUse } from "./map-record.js";
import { Turns } from "./turns.js";

/** Programs that use each map, by map id, ascending by program id. Walks all programs. */
export async function indexPrograms(): Promise<Map<number, ProgramUse[]>> {
  const byMap = new Map<number, ProgramUse[]>();
  const turns = new Turns();
  for (const id of programIds()) {
    const info = infoOf(id);
    const use = info && { id, name: info.name, type: info.type };
    for (const mapId of new Set(info?.mapIds)) {
      if (use) byMap.set(mapId, [...(byMap.get(mapId) ?? []), use]);
    }
    await turns.yieldIfDue();
  }
  return byMap;
}

/** Ids of all programs; none where the daemon may not list them. */
function* programIds(): Generator<number> {
  try {
    for (let id = programNextId(0); id !== undefined; id = programNextId(id)) yield id;
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== "EPERM") throw error;
  }
}

function infoOf(id: number) {
  let fd: number;
  try {
    fd = programGetFdById(id);
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENOENT") return undefined; // gone
    throw error;
  }
  try {
    return programInfo(fd);
  } finally {
    closeFd(fd);
  }
}
